# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band by the CPU engine: the same bits from every instruction set, any call, and what is drawn again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instruction_sets import ENGINE, on_target
from tolerances import CRITICAL_BAND, assert_within

import visionbias as vb
from visionbias.ops.band_noise.pyramid import FINEST, level_count
from visionbias.ops.kernel_memory import KERNEL_DTYPES

pytestmark = pytest.mark.skipif(ENGINE is None, reason="visionbias._C is not built")


def shown(x, bands, **options):
    names = [f"image{i}" for i in range(len(x))]
    return vb.critical_band(x, bands=bands, sample_ids=names, backend="native", **options)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 5), (6, 33), (47, 48), (64, 224)], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
def test_every_target_gives_the_bits_of_plain_code(target, size, memory_format, make_images):
    bands = range(FINEST + 1 - level_count(*size), FINEST + 1)
    for dtype in KERNEL_DTYPES:
        options = {"noise_sds": (0.0, 0.16, 0.7), "dtype": dtype, "memory_format": memory_format}
        for x in (make_images(2, 3, *size), make_images(2, 1, *size, torch.float32)):
            y = shown(x, bands, **options)
            with on_target("scalar"):
                assert torch.equal(y, shown(x, bands, **options))
    field = torch.randn(2, *size)
    unit = vb.band_noise(field, bands=bands, backend="native")
    with on_target("scalar"):
        assert torch.equal(unit, vb.band_noise(field, bands=bands, backend="native"))


@given(st.data(), st.integers(0, 2**31))
@settings(max_examples=500, deadline=None)
def test_any_call(data, seed):
    height, width = data.draw(st.integers(1, 72)), data.draw(st.integers(1, 72))
    n, c = data.draw(st.integers(0, 2)), data.draw(st.sampled_from([1, 3]))
    count = level_count(height, width)
    bands = data.draw(st.lists(st.integers(FINEST + 1 - count, FINEST), min_size=1, max_size=3, unique=True))
    common = data.draw(st.booleans())
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (n, c, height, width), generator=generator, dtype=torch.uint8)
    if data.draw(st.booleans()):
        x = x / 255
    x = data.draw(st.sampled_from([x, x.contiguous(memory_format=torch.channels_last), x.flip(0)]))
    noise = None
    if data.draw(st.booleans()):
        noise = torch.randn((n, height, width) if common else (len(bands), n, height, width), generator=generator)
    options = {
        "noise_sds": (0.02, data.draw(st.floats(0, 0.1))),
        "seed": seed,
        "common_random_numbers": common,
        "noise": noise,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 0.6, 0.7],
    }
    dtype = data.draw(st.sampled_from(KERNEL_DTYPES))
    memory_format = data.draw(st.sampled_from([torch.contiguous_format, torch.channels_last]))
    y = shown(x, bands, dtype=dtype, memory_format=memory_format, **options)
    names = [f"image{i}" for i in range(n)]
    wanted = vb.critical_band(x, bands=bands, sample_ids=names, dtype=torch.float64, backend="reference", **options)
    near = (y.double() - wanted).abs() > 0.1  # a pixel within rounding of a bound may fall on its other side
    assert near.double().sum() <= 3
    assert_within(torch.where(near, wanted, y.double()), wanted, CRITICAL_BAND[dtype], 2.0)


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_pixels_that_no_move_brings_back_take_new_normals(backend):
    """The finest band of a checkerboard is +-1 or so, ten times: nearly every pixel is drawn again, many often."""
    places = torch.arange(40)
    field = (1.0 - 2.0 * ((places[:, None] + places) % 2)).expand(2, 40, 40)
    x = torch.full((2, 1, 40, 40), 0.5)
    options = {"bands": [6], "noise_sds": [1.0], "noise": 10 * field, "seed": 3, "sample_ids": ["a", "b"]}
    y = vb.critical_band(x, backend=backend, **options)
    wanted = vb.critical_band(x, backend="reference", dtype=torch.float64, **options)
    assert_within(y, wanted, CRITICAL_BAND[torch.float32])
    assert (y[0, 0, 0] - y[0, 0, 1]).abs().mean() > 0.1
    assert len(y[0, 0, 0, 0].unique()) > 1500


def test_an_output_with_gaps_in_its_rows(make_images):
    x = make_images(2, 3, 12, 10)
    buffer = torch.full((2, 1, 2, 3, 12, 20), torch.nan)
    options = {"noise_sds": (0.1, 0.2)}
    shown(x, [6], out=buffer[..., ::2], **options)
    assert torch.equal(buffer[..., ::2], shown(x, [6], **options))
    assert buffer[..., 1::2].isnan().all()


def test_a_compiled_caller_gets_the_same(make_images):
    x = make_images(2, 3, 32, 32, torch.float32)

    def noise(x):
        return vb.band_noise(x[:, 0], bands=[5, 6])

    assert torch.equal(torch.compile(noise, backend="aot_eager")(x), noise(x))
