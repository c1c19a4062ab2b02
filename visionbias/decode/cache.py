# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache of decoded crops: what is there, what there is room for, and what is decoded anew at each reading."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from visionbias.decode.choice import DECODES, Decode, Kind
from visionbias.decode.dali import check_dali_serves, installed_version, reason_of
from visionbias.decode.entry import Crops, Entry
from visionbias.decode.room import CacheBytes
from visionbias.decode.scratch import sweep
from visionbias.errors import BackendError, DataError
from visionbias.runtime.cache_folder import cache_folder
from visionbias.types import Preprocessing, Sample


@dataclass(frozen=True)
class Foreseen:
    """What `open_crops` would find, or do."""

    bytes: int  # of the crops
    kept: bool  # they are in the cache, or would be written to it
    found: bool  # the entry is there, so nothing would be decoded now


def open_crops(
    samples: Sequence[Sample],  # N
    preprocessing: Preprocessing,
    *,
    decode: Decode = "auto",
    folder: Path | None = None,
    cache_bytes: CacheBytes = "auto",
    gpu: int = 0,
    progress: bool | None = None,
) -> Crops:
    """Decode images once and map the crops [N, crop, crop, 3]; a later call with the same files maps what is there.

    Args:
        samples: their labels play no part.
        preprocessing: how a file becomes a crop.
        decode: `"pillow"` (exact), `"dali"` (within one level of Pillow, bilinear only), `"dali-mixed"` (DALI on a GPU,
            further from Pillow, see `Crops.drift`), or `"auto"`: DALI's CPU decoder where it is installed and within
            one level, else Pillow, with a warning if a DALI that is installed is broken. `Crops.decoder` says which
            it was.
        folder: where entries are kept. Default `crops` in `cache_folder()`.
        cache_bytes: the most bytes of crops that the folder may hold, its finished entries counted now; `"auto"`: 95 %
            of what is free on its disk may be written. Crops beyond that are not: all files are decoded now, to know
            that they can be, and again at each reading of `Crops.images`, which then has rows and nothing else of an
            array. Crops that are there are mapped, whatever the number, and none are removed.
        gpu: index of the GPU on which "dali-mixed" decodes.
        progress: show a bar; None shows it on a terminal only.

    Raises:
        DataError: no samples, the entry cannot be written (full disk), or crops of "dali-mixed" would go beyond
            `cache_bytes`. Bad images raise nothing: see `Crops.bad`.
        BackendError: DALI is asked for by name and is absent, broken or without a GPU, or resizing is not bilinear.
    """
    if decode not in DECODES:
        raise DataError(f"decode: wanted one of {', '.join(map(repr, DECODES))}, got {decode!r}")
    if not samples:
        raise DataError("open_crops: wanted at least one sample, got none; check the data set's folder")
    folder = cache_folder() / "crops" if folder is None else folder
    if decode != "pillow":
        try:
            check_dali_serves(preprocessing)
            kind: Kind = "dali" if decode == "auto" else decode
            return _opened(samples, preprocessing, kind, folder, cache_bytes, gpu, progress)
        except BackendError as error:
            if decode != "auto":
                raise
            # A preprocessing that DALI does not serve is no fault of another's.
            if error.__cause__ is not None and installed_version() is not None:
                reason = reason_of(error.__cause__)
                warnings.warn(f"DALI is installed but cannot be used: {reason}; Pillow decodes", stacklevel=2)
    return _opened(samples, preprocessing, "pillow", folder, cache_bytes, gpu, progress)


def foresee_crops(
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    *,
    decode: Decode = "auto",
    folder: Path | None = None,
    cache_bytes: CacheBytes = "auto",
    coming: int = 0,
) -> Foreseen:
    """What `open_crops` would do once `coming` other bytes of crops are written. Decodes and writes nothing.

    Raises:
        BackendError: DALI is asked for by name and is absent.
        DataError: there is no room for crops of "dali-mixed", or the disk does not tell how much of it is free.
    """
    folder = cache_folder() / "crops" if folder is None else folder
    kinds: list[Kind] = [decode] if decode != "auto" else ["dali", "pillow"] if installed_version() else ["pillow"]
    entries = [Entry(samples, preprocessing, kind, folder, True, 0) for kind in kinds]
    for kept in entries:
        if kept.path.exists():
            return Foreseen(kept.bytes, kept=True, found=True)
    kept = entries[0]
    if kept.shortage(cache_bytes, coming) is None:
        return Foreseen(kept.bytes, kept=True, found=False)
    found = any(Entry(samples, preprocessing, kind, folder, False, 0).path.exists() for kind in kinds)
    return Foreseen(kept.bytes, kept=False, found=found)


def _opened(
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    kind: Kind,
    folder: Path,
    cache_bytes: CacheBytes,
    gpu: int,
    progress: bool | None,
) -> Crops:
    """Crops that are there, else written where there is room for them, else decoded anew whenever they are read."""
    kept = Entry(samples, preprocessing, kind, folder, True, gpu)
    found = kept.find()
    if found is not None:
        return found
    sweep(folder)
    shortage = kept.shortage(cache_bytes)
    if shortage is None:
        return kept.make(progress)
    streamed = Entry(samples, preprocessing, kind, folder, False, gpu)
    return replace(streamed.find() or streamed.make(progress), shortage=shortage)
