# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which bands of a bank come from one inverse transform."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionbias.ops.filter_bank.bands import Band

Mask = NDArray[np.float64]  # [H, W // 2 + 1], row ky, column kx


def distinct_masks(bands: Sequence[Band], height: int, width: int) -> list[tuple[Mask, list[int]]]:
    """Each inner mask of the bands once, in their order, with the positions of the bands that it serves."""
    found: dict[bytes, tuple[Mask, list[int]]] = {}
    for f, band in enumerate(bands):
        inner = band.inner_mask(height, width)
        found.setdefault(inner.tobytes(), (inner, []))[1].append(f)
    return list(found.values())
