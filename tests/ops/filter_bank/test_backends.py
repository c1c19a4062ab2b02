# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every backend of filter_bank against the float64 definition, on fresh random images."""

import pytest
import torch
from backends import on_cpu
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import FILTER_BANK, assert_within

import visionbias as vb
from visionbias.ops.filter_bank.masks import distinct_masks
from visionbias.ops.filter_bank.plan import OP, Plan

BANDS = (
    vb.lowpass(0.1),
    vb.highpass(0.1),
    vb.lowpass(0.9),  # the inner mask of highpass(0.1) where 1 - 0.1 rounds alike
    vb.highpass(0.3, offset=0.5),
    vb.lowpass(0.0),
    vb.highpass(0.0),
    vb.lowpass(1.0),
    vb.highpass(1.0),
    vb.lowpass(0.3, "disk"),
    vb.highpass(0.7, "gaussian"),
    vb.lowpass(0.2, "butterworth", 3),
    vb.lowpass(0.0, "gaussian"),
    vb.bandpass(0.1, 0.4),
    vb.bandpass(0.2, 0.5, "box"),
    vb.octave(2),
)
SIZES = [(1, 1), (1, 7), (7, 1), (2, 2), (8, 5), (31, 31), (64, 48), (97, 131), (160, 160)]
SMOOTH = [side for side in range(1, 41) if 210**6 % side == 0]  # what the CPU engine transforms
LAYOUTS = ["contiguous", "channels_last", "interleaved", "transposed", "sliced", "stepped"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BACKENDS = on_cpu(OP, without="reference")
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def served(backends, values, refused):
    """Pairs of a backend and a value, without what the CPU engine refuses."""
    return [(backend, value) for backend in backends for value in values if backend != "native" or value not in refused]


def definition(x, bands=BANDS, mean=None, std=None):
    return vb.filter_bank(x.cpu(), bands, mean=mean, std=std, dtype=torch.float64, backend="reference")


@pytest.mark.parametrize(("backend", "size"), served(BACKENDS, SIZES, [(31, 31), (97, 131)]), ids=str)
def test_sizes(backend, size, device, make_images):
    x = make_images(2, 3, *size).to(device)
    y = vb.filter_bank(x, BANDS, mean=MEAN, std=STD, backend=backend)
    assert_within(y, definition(x, mean=MEAN, std=STD), FILTER_BANK[torch.float32], 1 / min(STD))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend, layout, device, make_images):
    x = make_images(3, 3, 20, 35, layout=layout).to(device)
    assert_within(vb.filter_bank(x, BANDS, backend=backend), definition(x), FILTER_BANK[torch.float32])


@pytest.mark.parametrize(("backend", "dtype"), served([*BACKENDS, "reference"], FLOATS, [torch.float64]), ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
def test_outputs(backend, dtype, memory_format, device, make_images):
    x = make_images(2, 3, 24, 30).to(device)
    y = vb.filter_bank(x, BANDS, mean=MEAN, std=STD, dtype=dtype, memory_format=memory_format, backend=backend)
    assert y.dtype == dtype
    assert all(band.is_contiguous(memory_format=memory_format) for band in y)
    assert_within(y, definition(x, mean=MEAN, std=STD), FILTER_BANK[dtype], 1 / min(STD))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_floating_inputs(backend, dtype, device, make_images):
    x = make_images(2, 3, 24, 35, dtype).to(device)
    wide = torch.float64 if dtype == torch.float64 and backend != "native" else torch.float32
    assert_within(vb.filter_bank(x, BANDS, dtype=wide, backend=backend), definition(x), FILTER_BANK[wide])


@pytest.mark.parametrize("backend", [*BACKENDS, "reference"])
@pytest.mark.parametrize("c", [1, 2, 5])
def test_channels(backend, c, device, make_images):
    x = make_images(2, c, 9, 12).to(device)
    mean, std = [0.1 * i for i in range(c)], [0.5 + 0.1 * i for i in range(c)]
    y = vb.filter_bank(x, BANDS, mean=mean, std=torch.tensor(std, dtype=torch.float64), backend=backend)
    assert_within(y, definition(x, mean=mean, std=std), FILTER_BANK[torch.float32], 2.0)


@pytest.mark.parametrize("backend", [*BACKENDS, "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_out_is_overwritten_and_nothing_else(backend, dtype, device, make_images):
    x = make_images(3, 3, 12, 10).to(device)
    buffer = torch.full((len(BANDS), 8, 12, 10, 3), torch.nan, dtype=dtype, device=device).permute(0, 1, 4, 2, 3)
    out = buffer[:, 2:5]
    assert vb.filter_bank(x, BANDS, dtype=dtype, out=out, backend=backend) is out
    assert_within(out, definition(x), FILTER_BANK[dtype])
    assert buffer[:, :2].isnan().all()
    assert buffer[:, 5:].isnan().all()


@pytest.mark.parametrize("backend", [*BACKENDS, "reference"])
def test_no_images(backend, device):
    x = torch.empty(0, 3, 8, 8, dtype=torch.uint8, device=device)
    assert vb.filter_bank(x, BANDS, backend=backend).shape == (len(BANDS), 0, 3, 8, 8)


@pytest.mark.parametrize("backend", BACKENDS)
@given(st.data(), st.floats(0, 1), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_any_size_and_cutoff(backend, data, cutoff, seed):
    sides = st.sampled_from(SMOOTH) if backend == "native" else st.integers(1, 40)
    height, width = data.draw(sides), data.draw(sides)
    x = torch.randint(0, 256, (1, 1, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    bands = (vb.lowpass(cutoff), vb.highpass(cutoff))
    y = vb.filter_bank(x, bands, backend=backend)
    assert_within(y, definition(x, bands), FILTER_BANK[torch.float32])


@pytest.mark.parametrize("backend", BACKENDS)
def test_bits_do_not_depend_on_the_batch_the_bank_or_the_threads(backend, device, make_images):
    x = make_images(37, 3, 56, 56, layout="interleaved").to(device)
    whole = vb.filter_bank(x, BANDS, backend=backend)
    order = torch.randperm(len(x))
    assert torch.equal(vb.filter_bank(x[order], BANDS, backend=backend), whole[:, order])
    assert torch.equal(vb.filter_bank(x[30:31], BANDS, backend=backend), whole[:, 30:31])
    assert torch.equal(vb.filter_bank(x.contiguous()[5:12], BANDS, backend=backend), whole[:, 5:12])
    assert torch.equal(vb.filter_bank(x, BANDS[1], backend=backend)[0], whole[1])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(vb.filter_bank(x, BANDS, backend=backend), whole)
    finally:
        torch.set_num_threads(threads)


def test_bands_of_equal_inner_masks_share_an_inverse():
    cutoffs = [0.01, *(0.1 + 0.1 * i for i in range(9)), 0.99]
    bands = [*map(vb.lowpass, cutoffs), *map(vb.highpass, cutoffs)]
    for size, inverses in ((224, 11), (160, None)):
        masks = distinct_masks(bands, size, size)
        radii = {int(c * (size // 2)) for c in cutoffs} | {int((1 - c) * (size // 2)) for c in cutoffs}
        assert len(masks) == len(radii)
        assert inverses in (None, len(radii))
        assert sorted(f for _, served in masks for f in served) == list(range(22))


def test_plan_is_kept_and_reused(make_images):
    x = make_images(2, 3, 16, 16)
    bank = vb.FilterBank(BANDS, mean=MEAN, std=STD, dtype=torch.float16, memory_format=torch.channels_last)
    plan = bank.plan(x)
    assert isinstance(plan, Plan)
    assert bank.plan(make_images(5, 3, 16, 16)) is plan
    assert bank.plan(make_images(2, 3, 16, 18)) is not plan
    buffer = torch.full((len(BANDS), 2, 16, 16, 3), torch.nan, dtype=torch.float16).movedim(-1, -3)
    assert torch.equal(plan.run(x, out=buffer), bank(x))
    with pytest.raises(vb.ShapeError, match="this plan is for"):
        plan.run(make_images(2, 3, 16, 18))
