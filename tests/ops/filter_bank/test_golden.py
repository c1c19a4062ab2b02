# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank against stored outputs of the published code."""

from itertools import product

import numpy as np
import pytest
import torch
from backends import on_cpu
from tolerances import GOLDEN_CLIPPED_SHARE, GOLDEN_MOMENT, GOLDEN_PIXEL

import visionbias as vb
from visionbias.conditions.spectral import STUDY_CUTOFFS
from visionbias.ops.filter_bank.plan import OP

BACKENDS = on_cpu(OP)  # test_triton.py has the others


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden/spectral.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def images(shared):
    with np.load(shared / "golden/images.npz") as file:
        return torch.from_numpy(file["images"]).permute(0, 3, 1, 2)


def bank(cutoffs):
    return [make(float(cutoff)) for make, cutoff in product((vb.lowpass, vb.highpass), cutoffs)]


def radii(band, height, width):
    """(r_y, r_x), from the sums of a full plane's rows and columns through zero, each 2 r."""
    mask = band.inner_mask(height, width)
    row = np.concatenate([mask[0], mask[0, 1 : (width + 1) // 2]])
    return int(mask[:, 0].sum()) // 2, int(row.sum()) // 2


def test_cutoffs_are_the_study_s(golden):
    assert tuple(golden["cutoffs"]) == STUDY_CUTOFFS


@pytest.mark.parametrize("backend", BACKENDS)
def test_stored_pixels_and_moments(backend, golden, images):
    y = vb.filter_bank(images, bank(golden["cutoffs"]), backend=backend).double().numpy()
    y = y.reshape(2, 11, 6, -1).transpose(2, 0, 1, 3)  # [image, mode, cutoff, pixel]
    full = golden["full"].reshape(2, 11, -1)
    assert np.abs(y[int(golden["full_image"])] - full).max() <= GOLDEN_PIXEL
    assert np.abs(y[..., golden["sample_index"]] - golden["samples"]).max() <= GOLDEN_PIXEL
    for name, tolerance in (
        ("mean", GOLDEN_MOMENT),
        ("std", GOLDEN_MOMENT),
        ("min", GOLDEN_PIXEL),
        ("max", GOLDEN_PIXEL),
    ):
        assert np.abs(getattr(y, name)(-1) - golden[name]).max() <= tolerance, name


@pytest.mark.parametrize(
    ("backend", "size"), [(b, s) for b in BACKENDS for s in ("160", "97x131") if (b, s) != ("native", "97x131")]
)
def test_stored_pixels_of_other_sizes(backend, size, golden):
    crop = torch.from_numpy(golden[f"odd{size}_crop"]).permute(2, 0, 1)[None]
    y = vb.filter_bank(crop, bank(golden["odd_cutoffs"]), backend=backend)[:, 0].numpy()
    wanted = golden[f"odd{size}_out"].reshape(y.shape)
    assert np.abs(y - wanted).max() <= GOLDEN_PIXEL


def test_radii_are_exact(golden):
    bands = bank(golden["cutoffs"])
    wanted = [*golden["lowpass_radius"], *golden["highpass_radius"]]
    assert [radii(band, 224, 224) for band in bands] == [(r, r) for r in wanted]
    for name, shape in (("odd160_radius", (160, 160)), ("odd97x131_radius", (97, 131))):
        found = [radii(band, *shape) for band in bank(golden["odd_cutoffs"])]
        # Where a radius is 0 on one axis nothing is kept, and the other radius leaves no trace.
        stored = [(0, 0) if 0 in pair else tuple(pair) for pair in golden[name].reshape(-1, 2).tolist()]
        assert found == stored


def test_clipped_shares(golden, images):
    x = images.numpy() / 255.0
    spectrum = np.fft.rfft2(x)
    for (mode, i), band in zip(product(range(2), range(11)), bank(golden["cutoffs"]), strict=True):
        before = np.fft.irfft2(spectrum * band.mask(224, 224), s=(224, 224)).reshape(6, -1)
        low, high = (before < -1e-6).mean(-1), (before > 1 + 1e-6).mean(-1)
        assert np.abs(low - golden["frac_clipped_low"][:, mode, i]).max() <= GOLDEN_CLIPPED_SHARE
        assert np.abs(high - golden["frac_clipped_high"][:, mode, i]).max() <= GOLDEN_CLIPPED_SHARE
