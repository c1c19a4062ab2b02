# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What filters must do whatever the definition computes. Low-contrast images keep the clip out of play."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import visionbias as vb

SIZES = st.tuples(st.integers(1, 33), st.integers(1, 33))
CUTOFFS = st.floats(0, 1)
WINDOWS = st.sampled_from(["box", "disk", "gaussian", "butterworth"])
SEEDS = st.integers(0, 2**31)
CLOSE = {"rtol": 0.0, "atol": 1e-12}


def faint(size, seed, n=1):
    """Images whose filtered versions stay in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + 1e-3 * torch.rand(n, 1, *size, dtype=torch.float64, generator=generator)


def low(x, cutoff, window="box"):
    return vb.filter_bank(x, vb.lowpass(cutoff, window), dtype=torch.float64)[0]


def high(x, cutoff, window="box"):
    return vb.filter_bank(x, vb.highpass(cutoff, window, offset=0.5), dtype=torch.float64)[0] - 0.5


@settings(max_examples=50, deadline=None)
@given(SIZES, CUTOFFS, WINDOWS, SEEDS)
def test_low_and_high_make_the_image(size, cutoff, window, seed):
    x = faint(size, seed)
    if window == "box" and min(int((1 - cutoff) * (side // 2)) for side in size) == 0:
        return  # an empty box takes nothing away: the mean stays, and an offset on top of it is clipped
    torch.testing.assert_close(low(x, 1 - cutoff, window) + high(x, cutoff, window), x, **CLOSE)


@settings(max_examples=25, deadline=None)
@given(SIZES, SEEDS)
def test_all_pass(size, seed):
    x = faint(size, seed)
    assert torch.equal(vb.filter_bank(x, vb.highpass(1.0), dtype=torch.float64)[0], x)
    torch.testing.assert_close(low(x, 1.0, "gaussian").mean(), x.mean(), **CLOSE)
    if all(side % 2 == 0 for side in size):
        torch.testing.assert_close(low(x, 1.0), x, **CLOSE)


@settings(max_examples=25, deadline=None)
@given(SIZES, CUTOFFS, SEEDS)
def test_parseval(size, cutoff, seed):
    x = faint(size, seed)
    energy = low(x, 1 - cutoff, "disk").square().sum() + high(x, cutoff, "disk").square().sum()
    torch.testing.assert_close(energy, x.square().sum(), rtol=1e-12, atol=0.0)


@settings(max_examples=25, deadline=None)
@given(SIZES, CUTOFFS, SEEDS)
def test_a_disk_filters_once(size, cutoff, seed):
    once = low(faint(size, seed), cutoff, "disk")
    torch.testing.assert_close(low(once, cutoff, "disk"), once, **CLOSE)


@settings(max_examples=25, deadline=None)
@given(SIZES, CUTOFFS, WINDOWS, st.floats(0, 1), SEEDS)
def test_linear_and_self_adjoint(size, cutoff, window, share, seed):
    x, y = faint(size, seed), faint(size, seed + 1)
    fx, fy = low(x, cutoff, window), low(y, cutoff, window)
    mixed = low(share * x + (1 - share) * y, cutoff, window)
    torch.testing.assert_close(mixed, share * fx + (1 - share) * fy, **CLOSE)
    torch.testing.assert_close((fx * y).sum(), (x * fy).sum(), rtol=1e-12, atol=0.0)


@settings(max_examples=25, deadline=None)
@given(SIZES, CUTOFFS, WINDOWS, st.integers(-40, 40), SEEDS)
def test_a_shifted_image_gives_the_shifted_result(size, cutoff, window, shift, seed):
    x = faint(size, seed)
    moved = low(x.roll((shift, -shift), (2, 3)), cutoff, window)
    torch.testing.assert_close(moved, low(x, cutoff, window).roll((shift, -shift), (2, 3)), **CLOSE)


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_a_flat_image_has_no_high_frequencies(offset):
    x = torch.full((1, 3, 20, 21), 0.75)
    y = vb.filter_bank(x, vb.highpass(0.5, offset=offset))
    torch.testing.assert_close(y[0], torch.full_like(x, offset), rtol=0.0, atol=1e-6)
