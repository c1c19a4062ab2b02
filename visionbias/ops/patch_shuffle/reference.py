# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""patch_shuffle: the definition, in float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def order(words: NDArray[np.int64]) -> NDArray[np.int64]:  # [N, g * g] -> [N, g * g]
    """A permutation a sample: places sorted by random words, equal ones by place."""
    return np.argsort(words, axis=1, kind="stable")


def patch_shuffle(x: Array, order: NDArray[np.int64], grid: int) -> Array:  # [N, C, H, W]
    """Block i of the result is block order[i] of x, counted row by row."""
    bh, bw = x.shape[2] // grid, x.shape[3] // grid
    result = np.empty_like(x)
    for image, sources in enumerate(order):
        for place, source in enumerate(sources):
            (top, left), (from_top, from_left) = divmod(place, grid), divmod(int(source), grid)
            block = x[image, :, from_top * bh : (from_top + 1) * bh, from_left * bw : (from_left + 1) * bw]
            result[image, :, top * bh : (top + 1) * bh, left * bw : (left + 1) * bw] = block
    return result
