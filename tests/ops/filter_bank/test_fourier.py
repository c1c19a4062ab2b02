# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The real Fourier basis: orthogonal, and every mask is what it was, in float64."""

import numpy as np
import pytest

import visionbias as vb
from visionbias.ops.filter_bank.fourier import basis, weights
from visionbias.ops.filter_bank.reference import mask

BANDS = (
    vb.lowpass(0.3),
    vb.highpass(0.3),
    vb.lowpass(0.0),
    vb.lowpass(1.0),
    vb.bandpass(0.3, 0.7, "box"),
    vb.lowpass(0.4, "disk"),
    vb.lowpass(0.2, "gaussian"),
    vb.lowpass(0.5, "butterworth", 3),
    vb.octave(0),
)
SIZES = [(1, 1), (1, 6), (5, 1), (2, 2), (8, 8), (9, 12), (12, 9), (16, 21)]


@pytest.mark.parametrize("size", [1, 2, 3, 8, 21, 224])
def test_the_basis_is_orthogonal(size):
    waves = basis(size)
    squares = np.diag(waves.T @ waves)
    np.testing.assert_allclose(waves.T @ waves, np.diag(squares), atol=1e-12 * size)
    assert set(np.round(squares / size, 12)) <= {1.0, 0.5}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_a_mask_filters_as_it_does_by_transforms(band, size):
    height, width = size
    image = np.random.default_rng().random(size)
    kept = weights(band.inner_mask(height, width), height, width)
    left, right = basis(height), basis(width)
    z = left.T @ image @ right
    low = left[:, : kept.rows] @ (kept.diagonal * z)[: kept.rows, : kept.columns] @ right[:, : kept.columns].T
    for row, column, strength in kept.corners:
        block = z[row : row + 2, column : column + 2]
        mixed = np.array([[-block[1, 1], block[1, 0]], [block[0, 1], -block[0, 0]]])
        low += strength * left[:, row : row + 2] @ mixed @ right[:, column : column + 2].T
    filtered = image - low if band.complement else low
    wanted = np.fft.ifft2(np.fft.fft2(image) * mask(band, height, width)).real
    np.testing.assert_allclose(filtered, wanted, atol=1e-13)


def test_only_boxes_have_corners():
    assert len(weights(vb.lowpass(0.5).inner_mask(16, 16), 16, 16).corners) == 1
    assert len(weights(vb.bandpass(0.2, 0.5, "box").inner_mask(16, 16), 16, 16).corners) == 2
    assert not any(weights(vb.lowpass(0.5, w).inner_mask(16, 12), 16, 12).corners for w in ("disk", "gaussian"))
