# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels of band_noise, run on the host."""

import numpy as np
import pytest
import torch
from tolerances import BAND_NOISE, CRITICAL_BAND, assert_within

import visionbias as vb
from visionbias.ops.band_noise.cuda import CudaKernel, refuse
from visionbias.ops.band_noise.fields import DrawnNoise, GivenNoise
from visionbias.ops.band_noise.pyramid import FINEST, level_count
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.output import Output
from visionbias.ops.philox import sample_keys

SIZES = [(4, 9), (5, 5), (32, 32), (37, 50), (48, 80)]
MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
CPU = torch.device("cpu")


def bands_of(height, width):
    return tuple(range(FINEST + 1 - min(level_count(height, width), FINEST + 1), FINEST + 1))


def shown(launch, x, sds, bands, seed=5, common=False, given=None, out=None, dtype=torch.float32):
    """critical_band as `function.py` calls it, by the kernel."""
    n, _, h, w = x.shape
    ids = [f"image{i}" for i in range(n)]
    spec = Spec(bands, sds, h, w, 0.2, 0.449, x.dtype, Output(MEAN, STD, dtype, CPU))
    noise = DrawnNoise(seed, sample_keys("test", ids, n), h, w, common, CPU)
    y = torch.full((len(sds), len(bands), n, 3, h, w), torch.nan, dtype=dtype) if out is None else out
    CudaKernel(spec, launch).run(x, noise if given is None else GivenNoise(given, bands, noise), y)
    options = {"bands": bands, "noise_sds": sds, "seed": seed, "sample_ids": ids, "noise": given}
    options |= {"common_random_numbers": common, "mean": MEAN, "std": STD}
    return y, vb.critical_band(x, dtype=torch.float64, backend="reference", **options)


def assert_shown(y, wanted):
    near = (y.double() - wanted).abs() > 0.1  # a pixel within rounding of a bound may fall on its other side
    assert near.double().sum() <= 6
    assert_within(torch.where(near, wanted, y.double()), wanted, CRITICAL_BAND[y.dtype], 2.0)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_noise_from_philox_in_images(launch, size, make_images):
    for x, dtype in (
        (make_images(2, 3, *size), torch.float32),
        (make_images(1, 1, *size, torch.float32), torch.float16),
    ):
        assert_shown(*shown(launch, x, (0.0, 0.16), bands_of(*size), dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "offset"])
def test_outputs_of_any_kind(launch, dtype, layout, make_images):
    x, sds, bands = make_images(2, 3, 32, 32, layout="interleaved"), (0.05, 0.1), (4, 6)
    shape = (len(sds), len(bands), 2, 3, 32, 32)
    buffer = torch.full((2 * 2 * 2 * 3 * 32 * 64 + 8,), torch.nan, dtype=dtype)
    size = torch.Size(shape).numel()
    if layout == "channels_last":
        out = buffer[:size].view(2, 2, 2, 32, 32, 3).movedim(-1, -3)
    elif layout == "sliced":
        out = buffer[: 2 * size].view(2, 2, 2, 3, 32, 64)[..., ::2]
    else:
        first = 1 if layout == "offset" else 0
        out = buffer[first : first + size].view(shape)
    y, wanted = shown(launch, x, sds, bands, out=out, dtype=dtype)
    assert_shown(y, wanted)
    assert int(buffer.isnan().sum()) == buffer.numel() - size  # not a number beside the images was written


def test_one_case_of_full_size(launch_reversed, make_images):
    x = make_images(1, 3, 224, 224)
    assert_shown(*shown(launch_reversed, x, (0.02, 0.16), (0, 3, 6), common=True))


def test_fields_that_are_given(launch, make_images):
    x, bands = make_images(2, 3, 40, 33, torch.float32), (3, 5, 6)
    for given in (torch.randn(2, 40, 33), torch.randn(3, 2, 40, 33)):
        assert_shown(*shown(launch, x, (0.1,), bands, given=given))


def test_pixels_that_no_move_brings_back_take_new_normals(launch):
    places = torch.arange(40)
    field = 10 * (1.0 - 2.0 * ((places[:, None] + places) % 2)).expand(2, 40, 40)
    y, wanted = shown(launch, torch.full((2, 1, 40, 40), 0.5), (1.0,), (6,), given=field)
    assert_shown(y, wanted)
    assert len(y[0, 0, 0, 0].unique()) > 1500


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_unit_noise(launch, size):
    h, w = size
    field, bands = torch.randn(2, h, w), bands_of(h, w)
    spec = Spec(bands, (), h, w, 0.2, 0.449, field.dtype, Output((0.0,) * 3, (1.0,) * 3, torch.float32, CPU))
    drawn = DrawnNoise(0, np.zeros((2, 2), np.uint32), h, w, True, CPU)
    out = torch.full((len(bands), 2, h, w), torch.nan)
    CudaKernel(spec, launch).bands(GivenNoise(field, bands, drawn), out)
    assert_within(out, vb.band_noise(field, bands=bands, dtype=torch.float64, backend="reference"), BAND_NOISE)


def test_the_field_has_the_bits_of_every_other_backend(launch):
    """An image of one level is its own field."""
    h, w = 4, 21
    spec = Spec((6,), (), h, w, 0.2, 0.449, torch.uint8, Output((0.0,) * 3, (1.0,) * 3, torch.float32, CPU))
    noise = DrawnNoise(2**63 + 11, sample_keys("test", ["a", "b", "c"], 3), h, w, False, CPU)
    out = torch.full((1, 3, h, w), torch.nan)
    CudaKernel(spec, launch).bands(noise, out)
    assert torch.equal(out[0], noise.field(slice(0, 3), 6))


def test_order_of_threads_and_batch_do_not_show(launch, make_images):
    x, bands = make_images(3, 3, 32, 32), (3, 6)
    y, _ = shown(launch, x, (0.1,), bands)
    alone, _ = shown(launch, x[:1], (0.1,), bands)
    assert torch.equal(y[:, :, :1], alone)


def test_more_strengths_than_it_takes():
    output = Output((0.0,) * 3, (1.0,) * 3, torch.float32, CPU)
    assert "at most 16" in refuse(Spec((6,), (0.1,) * 17, 32, 32, 0.2, 0.449, torch.uint8, output))
