# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Crops without room of their own: decoded anew whenever they are asked for."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from visionbias.decode.choice import Decoder
from visionbias.decode.pillow import BadReason, available_threads
from visionbias.decode.source import read_file
from visionbias.errors import DataError
from visionbias.types import Sample


class Redecoded:
    """Reads like an array of crops, by rows: `crops[[3, 5]]` is u8 [2, crop, crop, 3].

    Raises (when it is read):
        DataError: a file is not what it was when the list was made.
    """

    def __init__(
        self,
        samples: Sequence[Sample],  # N
        digests: NDArray[np.uint8],  # [N, 32] sha256 of each file's content when it was found usable
        decoder: Callable[[], Decoder],
    ) -> None:
        self._samples = samples
        self._digests = digests
        self._make = decoder
        self._open: tuple[Decoder, ThreadPoolExecutor] | None = None  # while rows are read

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:  # [n, crop, crop, 3]
        distinct, places = np.unique(rows, return_inverse=True)
        return self._decoded(distinct)[places]

    def close(self) -> None:
        """Let the decoder and the threads go, until rows are read again."""
        if self._open is not None:
            decoder, readers = self._open
            self._open = None
            readers.shutdown(cancel_futures=True)
            decoder.close()

    def _decoded(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:  # [n, crop, crop, 3]
        if self._open is None:
            readers = ThreadPoolExecutor(available_threads(), thread_name_prefix="visionbias-read")
            self._open = self._make(), readers
        decoder, readers = self._open
        wanted = [self._samples[row] for row in rows]
        contents = list(readers.map(read_file, [sample.path for sample in wanted]))
        for row, sample, content in zip(rows, wanted, contents, strict=True):
            if content.unread is not None or content.digest != self._digests[row].tobytes():
                raise _changed(sample, content.unread or "other bytes")
        crops = []
        for sample, crop in zip(wanted, decoder.decode([c.data for c in contents]), strict=True):
            if isinstance(crop, BadReason):
                raise _changed(sample, crop.text)
            crops.append(crop)
        return np.stack(crops)


def _changed(sample: Sample, got: str) -> DataError:
    return DataError(
        f"{sample.path}: wanted the image that it was when the run began, got {got}; begin another run, "
        "or keep the crops in a cache, which later changes do not reach"
    )
