# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the cache of crops adds to the decoder that fills it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.folder import temporary_folder
from benchmarks.registry import Case, benchmark
from benchmarks.whole_job import write_jpegs
from visionbias.decode.cache import open_crops
from visionbias.decode.choice import Kind, batch_size, decoder_name, new_decoder
from visionbias.errors import BackendError
from visionbias.types import Preprocessing, Sample

PREPROCESSING = Preprocessing()
DECODER = "peer: the decoder alone"
FLOOR = 0.90  # share of the decoder's own rate at which a cache is built
LEVELS: dict[Kind, int] = {"dali": 1, "pillow": 0}  # largest difference from Pillow


@benchmark("decode")
def cases(device: str, n: int = 2048) -> Iterator[Case]:  # noqa: ARG001
    """One case a decoder that this machine has, from files that the system holds in memory."""
    folder = temporary_folder("decode")
    paths = write_jpegs(folder / "images", n)
    samples = [Sample(path.name, path, 0) for path in paths]
    for kind in LEVELS:
        try:
            decoder_name(kind)
        except BackendError:
            continue
        yield Case(
            op="decode",
            shape=f"{kind}, {n} JPEG files of 500 x 375",
            dtype="uint8",
            unit="images",
            work=n,
            bytes_moved=n * 3 * PREPROCESSING.crop**2,
            contenders={"cache": partial(build, samples, kind, folder), DECODER: partial(decode, paths, kind)},
            check=partial(_check, samples, kind, folder),
            floors={DECODER: FLOOR},
        )


def build(samples: list[Sample], kind: Kind, folder: Path) -> "TemporaryDirectory[str]":
    """Fill a cache of its own. It is removed behind its time, so that the next one finds memory that has been in use:
    in a virtual machine the first use of a page takes longer than a crop's share of all else.
    """
    own = TemporaryDirectory(dir=folder)
    open_crops(samples, PREPROCESSING, decode=kind, folder=Path(own.name), progress=False)
    return own


def decode(paths: list[Path], kind: Kind) -> None:
    """Read and decode, and keep nothing."""
    decoder = new_decoder(kind, PREPROCESSING, 0)
    for start in range(0, len(paths), batch_size()):
        decoder.decode([path.read_bytes() for path in paths[start : start + batch_size()]])
    decoder.close()


def _check(samples: list[Sample], kind: Kind, folder: Path, _: str) -> float:
    """The crops are Pillow's, or within a level of them."""
    few = samples[:8]
    own, wanted = (
        open_crops(few, PREPROCESSING, decode=name, folder=folder / "check", progress=False).images.astype(np.int16)
        for name in (kind, "pillow")
    )
    error = int(np.abs(own - wanted).max())
    assert error <= LEVELS[kind], f"{kind} is {error} levels off"
    return float(error)
