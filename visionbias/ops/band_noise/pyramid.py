# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The Laplacian pyramid as matrices, one for each axis, step and level.

Source: Burt & Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 1983.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError

Matrix = NDArray[np.float64]

FINEST = 6  # number of the finest band; the next coarser octave is one less
TAPS = np.sqrt(2.0) * np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def level_count(height: int, width: int) -> int:
    """Levels of the pyramid of an image; the last one is the low-pass residual."""
    side, levels = min(height, width), 1
    while side >= len(TAPS):
        side, levels = side // 2, levels + 1
    return levels


def level_of(op: str, band: int, height: int, width: int) -> int:
    """The pyramid level of a band, 0 the finest.

    Raises:
        ShapeError: an image of this size does not have the band.
    """
    level, levels = FINEST - band, level_count(height, width)
    if not 0 <= level < min(levels, FINEST + 1):
        coarsest = max(FINEST + 1 - levels, 0)
        raise ShapeError(
            f"{op}: {height} x {width} pixels have the bands {coarsest} ... {FINEST}, got band {band}; "
            f"leave it out with bands=({', '.join(map(str, range(coarsest, FINEST + 1)))}), or show larger images"
        )
    return level


@cache
def down(n: int) -> Matrix:  # [ceil(n / 2), n]
    """Blur and keep every second sample; the border is reflected about the edge sample."""
    matrix = np.zeros((-(-n // 2), n))
    for row in range(len(matrix)):
        for tap, weight in enumerate(TAPS):
            matrix[row, _reflected(2 * row + tap - 2, n)] += weight
    return matrix


@cache
def up(n: int) -> Matrix:  # [n, ceil(n / 2)]
    """Put samples at the even places, zeros between, and blur; the border as in `down`."""
    matrix = np.zeros((n, -(-n // 2)))
    for row in range(n):
        for tap, weight in enumerate(TAPS):
            place = _reflected(row + tap - 2, n)
            if place % 2 == 0:
                matrix[row, place // 2] += weight
    return matrix


@cache
def upward(n: int, level: int) -> Matrix:  # [n, samples of the level]
    """All steps from a level up to the image."""
    return np.eye(n) if level == 0 else up(n) @ upward(-(-n // 2), level - 1)


@cache
def smoothing(n: int, level: int) -> Matrix:  # [n, n]
    """A_level: down to a level and up again; A_0 is the identity and every row sums to 1."""
    return np.eye(n) if level == 0 else up(n) @ smoothing(-(-n // 2), level - 1) @ down(n)


def _reflected(place: int, n: int) -> int:
    place = abs(place)
    return place if place < n else 2 * (n - 1) - place
