# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and masks in the real Fourier basis: 1, cos 1, sin 1, cos 2, sin 2 ... along each axis."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionbias.ops.filter_bank.masks import Mask

Array = NDArray[np.float64]


class Corner(NamedTuple):
    """A frequency (ky, kx) at which a mask differs from its mirror image (ky, -kx), so that products of cosines and
    products of sines mix. Only the corners of boxes are such."""

    row: int  # of cos ky; sin ky is the next
    column: int  # of cos kx; sin kx is the next
    strength: float


class Weights(NamedTuple):
    """A mask in the basis: low = basis_h (diagonal * z + corners of z) basis_w^T, with z = basis_h^T x basis_w."""

    diagonal: Array  # [H, W]; includes what makes the basis orthonormal
    corners: list[Corner]
    rows: int  # all that is not zero lies in the first rows and columns
    columns: int


def basis(size: int) -> Array:
    """Pixels by frequencies [size, size], amplitude 1; of frequency size / 2 there is a cosine only."""
    pixel, column = np.arange(size)[:, None], np.arange(size)[None, :]
    angle = 2.0 * np.pi / size * (pixel * _frequency(column) % size)
    return np.where(column % 2 == 1, np.cos(angle), np.where(column == 0, 1.0, np.sin(angle)))


def weights(inner: Mask, height: int, width: int) -> Weights:
    """The real even mask of a half-plane, brought to the basis."""
    mirrored = inner[-np.arange(height) % height]
    even, odd = (0.5 * (inner + mirrored), 0.5 * (inner - mirrored))
    ky, kx = (_frequency(np.arange(size)) for size in (height, width))
    norm = np.outer(_multiplicity(height), _multiplicity(width)) / (height * width)
    diagonal = even[np.ix_(ky, kx)] * norm
    corners = [
        Corner(2 * y - 1, 2 * x - 1, float(odd[y, x] * norm[2 * y - 1, 2 * x - 1]))
        for y, x in np.argwhere(odd[: height // 2 + 1]).tolist()
    ]
    kept = np.argwhere(diagonal)
    ends = [(int(row) + 1, int(column) + 1) for row, column in ([kept.max(axis=0)] if len(kept) else [])]
    ends += [(corner.row + 2, corner.column + 2) for corner in corners]
    rows, columns = (max(end) for end in zip(*ends, strict=True)) if ends else (0, 0)
    return Weights(diagonal, corners, rows, columns)


def _frequency(column: NDArray[np.intp]) -> NDArray[np.intp]:
    return (column + 1) // 2


def _multiplicity(size: int) -> Array:
    """Of each column: pixels over its squared norm."""
    k = _frequency(np.arange(size))
    return np.where((k == 0) | (2 * k == size), 1.0, 2.0)
