# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How far a decoder's crops are from Pillow's, on some of the images."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from visionbias.decode.pillow import decode_pillow
from visionbias.errors import DataError
from visionbias.types import Preprocessing

_IMAGES = 64  # at most


@dataclass(frozen=True, slots=True)
class Drift:
    """Absolute differences from Pillow's crops [levels of 0 to 255]."""

    images: int  # compared
    mean_levels: float
    max_levels: int

    def __str__(self) -> str:
        return (
            f"{self.mean_levels:.2f} levels from Pillow in the mean, {self.max_levels} at most, "
            f"on {self.images:,} image{'' if self.images == 1 else 's'}"
        )


def joined(drifts: Iterable[Drift | None]) -> Drift | None:
    """The drift over the images of all."""
    measured = [drift for drift in drifts if drift is not None]
    if not measured:
        return None
    return Drift(
        sum(drift.images for drift in measured),
        fmean([drift.mean_levels for drift in measured], [drift.images for drift in measured]),
        max(drift.max_levels for drift in measured),
    )


class DriftMeter:
    """Compares up to 64 images, at even distances, as they are decoded."""

    def __init__(self, n: int, preprocessing: Preprocessing) -> None:
        self._every = -(-n // _IMAGES)
        self._preprocessing = preprocessing
        self._found: list[Drift] = []

    def add(
        self,
        row: int,
        data: bytes,  # of the file
        crop: NDArray[np.uint8],  # [crop, crop, 3]
    ) -> None:
        """Compare the crop of a row if it is one of those."""
        if row % self._every:
            return
        try:
            difference = np.abs(crop.astype(np.int16) - decode_pillow(data, self._preprocessing))
        except DataError:
            return  # nothing to compare with
        self._found.append(Drift(1, float(difference.mean()), int(difference.max())))

    @property
    def drift(self) -> Drift | None:
        """Over the images so far; None if there were none."""
        return joined(self._found)
