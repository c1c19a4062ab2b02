# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""An entry of the cache of crops: a folder, made once and memory-mapped ever after.

It holds `crops.u8` (u8 [N, crop, crop, 3]) and `manifest.json`, and is named by the hash of what its pixels depend on:
decoder, preprocessing, and id, place, size and times of each file. It is built in a scratch folder beside it, flushed
to disk and renamed, so it is either whole or not there. Where there is no room for crops, it holds `digests.u8` (u8
[N, 32], sha256 of each file) in their place, and crops are decoded anew whenever they are read.
"""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL
from numpy.typing import NDArray

from visionbias.decode.ahead import Crop, decode_ahead
from visionbias.decode.choice import ONLY_ONCE, Decoder, Kind, batch_size, decoder_name, new_decoder
from visionbias.decode.drift import Drift, DriftMeter
from visionbias.decode.pillow import BadReason, available_threads
from visionbias.decode.redecode import Redecoded
from visionbias.decode.room import PIXELS, CacheBytes, Shortage, room_left
from visionbias.decode.scratch import discard, scratch_folder
from visionbias.decode.source import Content, read_batches, read_file
from visionbias.errors import DataError
from visionbias.runtime.durable import sync_folder, write_file
from visionbias.runtime.progress import progress_bar
from visionbias.types import BadSample, Preprocessing, Sample

_FORMAT = 2  # of an entry; part of its name
_DIGESTS, _MANIFEST = "digests.u8", "manifest.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MAKE_ROOM = "make room there"
_ENTRY_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@dataclass(frozen=True, eq=False)
class Crops:
    """The decoded images of a list of samples."""

    images: NDArray[np.uint8] | Redecoded  # [N, crop, crop, 3], read-only memory map; row i is samples[i]
    bad: tuple[BadSample, ...]  # samples that could not be decoded; their pixels are 0
    decoder: str  # such as "dali-2.4.0-cpu" or "pillow-13.0.0"
    # Over, for each sample in order, the id's length (8 bytes, big-endian), the id, and the sha256 of the file's
    # content (32 zero bytes if it could not be read).
    sha256: str
    path: Path  # the entry's folder
    drift: Drift | None  # from Pillow's crops, of a decoder without a bound: "dali-mixed"
    shortage: Shortage | None = None  # why `images` is a `Redecoded`


class Entry:
    """What an entry must hold, and how it is looked up and built."""

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        kind: Kind,
        folder: Path,
        keep: bool,
        gpu: int,
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.kind = kind
        self.decoder = decoder_name(kind)
        self.keep = keep
        self.gpu = gpu
        self.payload = PIXELS if keep else _DIGESTS
        self.shape = (len(samples), *((preprocessing.crop, preprocessing.crop, 3) if keep else (32,)))
        self.bytes = math.prod(self.shape)
        self.key = self._key()
        self.path = folder / self.key[:32]

    def find(self) -> Crops | None:
        """The entry, unless it is absent or damaged, or holds a failure to read that is over."""
        return self._load(recheck=True)

    def shortage(self, cache_bytes: CacheBytes, coming: int = 0) -> Shortage | None:
        """Of room for the crops, if there is less than they take.

        Raises:
            DataError: these must be kept, or the disk does not tell how much of it is free.
        """
        try:
            allowed = room_left(self.path.parent, cache_bytes, coming, replaced=self.path)
        except OSError as error:
            raise self._cannot_write(error.strerror or type(error).__name__, "make it a folder") from error
        if self.bytes <= allowed:
            return None
        if self.kind == "dali-mixed":
            raise DataError(
                f"crop cache: wanted to write {self.bytes} bytes to {self.path.parent}, got room for {allowed}; "
                f"{ONLY_ONCE}: make room, give the study a larger cache_bytes, or use decode='dali' or 'pillow'"
            )
        return Shortage(self.bytes, allowed)

    def make(self, progress: bool | None) -> Crops:
        """Decode the images and write the entry.

        Raises:
            DataError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.path.parent).free
            if free < self.bytes:
                raise self._cannot_write(f"{free} bytes free", _MAKE_ROOM)
            with scratch_folder(self.path.parent, self.payload) as (scratch, file):
                self._build(scratch, file, progress)
                return self._publish(scratch)
        except OSError as error:
            advice = _MAKE_ROOM if error.errno in _FULL else "make it writable"
            raise self._cannot_write(error.strerror or type(error).__name__, advice) from error

    def _key(self) -> str:
        settings = {"format": _FORMAT, "holds": self.payload, "decoder": self.decoder, "pillow": PIL.__version__}
        digest = hashlib.sha256(json.dumps([settings, self.preprocessing.as_dict()], sort_keys=True).encode())
        for sample in self.samples:
            # The place counts too: two data sets can agree in names, sizes and (reproducible archives) times.
            row = [sample.id, os.path.abspath(sample.path), *_size_and_times(sample.path)]  # noqa: PTH100
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()

    def _load(self, *, recheck: bool) -> Crops | None:
        """The entry on disk, or None if absent or damaged, or (`recheck`) it holds a failure to read that is over."""
        payload = self.path / self.payload
        try:
            manifest = json.loads((self.path / _MANIFEST).read_bytes())
            bad = [(self.samples[row], str(reason), bool(unread)) for row, reason, unread in manifest["bad"]]
            whole = manifest["key"] == self.key and payload.stat().st_size == self.bytes
            sha256 = str(manifest["sha256"])
            drift = Drift(**manifest["drift"]) if manifest.get("drift") else None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        if not whole:
            return None
        # A mended folder or network changes no time of the file.
        if recheck and any(unread and read_file(sample.path).unread is None for sample, _, unread in bad):
            return None
        try:
            images = np.memmap(payload, np.uint8, "r", shape=self.shape)
        except (OSError, ValueError):
            return None
        if not self.keep and self._content(images) != sha256:
            return None
        crops = images if self.keep else Redecoded(self.samples, images, self._new_decoder)
        unusable = tuple(BadSample(sample.id, reason) for sample, reason, _ in bad)
        return Crops(crops, unusable, self.decoder, sha256, self.path, drift)

    def _build(self, scratch: Path, file: IO[bytes], progress: bool | None) -> None:
        digests: list[bytes] = []
        bad: list[tuple[int, str, bool]] = []
        blank = bytes(self.bytes // len(self.samples))
        meter = DriftMeter(len(self.samples), self.preprocessing) if self.kind == "dali-mixed" else None
        done = 0
        with closing(self._decoded(progress)) as batches:
            for contents, crops in batches:
                for row, (content, crop) in enumerate(zip(contents, crops, strict=True), done):
                    digests.append(content.digest)
                    if isinstance(crop, BadReason):
                        bad.append((row, crop.text, content.unread is not None))
                    elif meter is not None:
                        meter.add(row, content.data, crop)
                    if not self.keep:
                        file.write(content.digest)
                    else:
                        file.write(blank if isinstance(crop, BadReason) else crop.data)
                done += len(contents)
                # Not once at the end: the decoder works meanwhile.
                file.flush()
                os.fsync(file.fileno())
        manifest: dict[str, Any] = {
            "key": self.key,
            "decoder": self.decoder,
            "preprocessing": self.preprocessing.as_dict(),
            "shape": self.shape,
            "sha256": self._content(digests),
            "bad": bad,
            "drift": None if meter is None or meter.drift is None else asdict(meter.drift),
        }
        write_file(scratch / _MANIFEST, json.dumps(manifest, indent=1).encode())
        sync_folder(scratch)

    def _content(self, digests: Iterable[Any]) -> str:
        """See `Crops.sha256`; each digest of 32 bytes."""
        content = hashlib.sha256()
        for sample, digest in zip(self.samples, digests, strict=True):
            name = sample.id.encode("utf-8", "surrogateescape")
            content.update(len(name).to_bytes(8, "big") + name + bytes(digest))
        return content.hexdigest()

    def _decoded(self, progress: bool | None) -> Generator[tuple[list[Content], list[Crop]], None, None]:
        """Contents and crops of the samples in order, batch by batch; memory does not grow with N."""
        decoder = self._new_decoder()
        try:
            with (
                progress_bar(len(self.samples), progress, "decode") as bar,
                closing(read_batches(self.samples, batch_size(), available_threads())) as contents,
                closing(decode_ahead(contents, decoder)) as batches,
            ):
                for batch in batches:
                    yield batch
                    bar.update(len(batch[0]))
        finally:
            decoder.close()

    def _new_decoder(self) -> Decoder:
        return new_decoder(self.kind, self.preprocessing, self.gpu)

    def _publish(self, scratch: Path) -> Crops:
        for _ in range(5):
            try:
                scratch.rename(self.path)
            except OSError as error:
                if error.errno not in _ENTRY_TAKEN:
                    raise
                found = self._load(recheck=True)
                if found is not None:
                    return found  # another process was faster
                discard(self.path, self.payload)
                continue
            sync_folder(self.path.parent)
            found = self._load(recheck=False)
            if found is not None:
                return found
            break
        raise DataError(
            f"crop cache: wanted the finished entry {self.path}, got one that changed at once; "
            "let no other program clear that folder meanwhile"
        )

    def _cannot_write(self, got: str, advice: str) -> DataError:
        # Hashes of the files, and what cannot be read, are written with any cache_bytes.
        smaller = ", or give the study a smaller cache_bytes (0 writes no crops)"
        other = smaller if self.keep and advice == _MAKE_ROOM else ""
        return DataError(
            f"crop cache: wanted to write {self.bytes} bytes to {self.path.parent}, got: {got}; "
            f"{advice}, choose another place with cache= or $VISIONBIAS_CACHE{other}"
        )


def _size_and_times(path: Path) -> tuple[int, int, int]:
    """Times of modification and of change; programs can set the first, and not the second."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return -1, -1, -1
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
