# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix by the CPU engine: the same bits from every instruction set, any call, and what it refuses."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instruction_sets import ENGINE, SMOOTH, on_target
from tolerances import PHASES, SPECTRUM_MIX, assert_within, phases_are_known

import visionbias as vb
from visionbias.ops.kernel_memory import KERNEL_DTYPES
from visionbias.ops.output import Output
from visionbias.ops.spectrum_mix import phase_swap_both
from visionbias.ops.spectrum_mix.kernels import OP
from visionbias.ops.spectrum_mix.spec import Spec

pytestmark = pytest.mark.skipif(ENGINE is None, reason="visionbias._C is not built")

MEMORY_FORMATS = [torch.contiguous_format, torch.channels_last]


def uneven(c, h, w):
    """An amplitude that is no image's: not even on the columns that are their own mirror image."""
    return torch.rand(c, h, w // 2 + 1, generator=torch.Generator().manual_seed(5)) * (h * w) ** 0.5


def ids(x):
    return [f"{i}.png" for i in range(len(x))]


# (a, b, options) -> images, and how exact they are
METHODS = {
    "phase_swap": (lambda a, b, **o: vb.cue_conflict(a, b, **o), SPECTRUM_MIX),
    "phase_swap_both": (lambda a, b, **o: phase_swap_both(a, b, **o), SPECTRUM_MIX),
    "random_phase": (lambda a, b, **o: vb.random_phase(a, sample_ids=ids(a), **o), SPECTRUM_MIX),
    "phase_noise": (lambda a, b, **o: vb.phase_noise(a, width=150, sample_ids=ids(a), **o), PHASES),
    "power_equalize": (lambda a, b, **o: vb.power_equalize(a, vb.mean_amplitude(b), **o), SPECTRUM_MIX),
    "uneven amplitude": (lambda a, b, **o: vb.power_equalize(a, uneven(*a.shape[1:]), **o), SPECTRUM_MIX),
    "one amplitude": (lambda a, b, **o: vb.power_equalize(a, uneven(1, *a.shape[2:])[0], **o), SPECTRUM_MIX),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (49, 1), (8, 5), (30, 49), (64, 48), (135, 112), (512, 2)], ids=str)
def test_every_target_gives_the_bits_of_plain_code(target, name, size, make_images):
    call, tolerance = METHODS[name]
    for input_dtype, memory_format in zip((torch.uint8, torch.float32), MEMORY_FORMATS, strict=True):
        pair = [make_images(2, 3, *size, input_dtype) for _ in range(2)]
        wanted = call(*pair, dtype=torch.float64, backend="reference")
        for dtype in KERNEL_DTYPES:
            options = {"dtype": dtype, "memory_format": memory_format, "backend": "native"}
            y = call(*pair, **options)
            with on_target("scalar"):
                assert torch.equal(y, call(*pair, **options))
            assert_within(y, wanted, tolerance[dtype])


@given(st.data(), st.integers(0, 2**31))
@settings(max_examples=600, deadline=None)
def test_any_call(data, seed):
    height, width = data.draw(st.sampled_from(SMOOTH)), data.draw(st.sampled_from(SMOOTH))
    n, c = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    dtype, memory_format = data.draw(st.sampled_from(KERNEL_DTYPES)), data.draw(st.sampled_from(MEMORY_FORMATS))
    call, tolerance = METHODS[data.draw(st.sampled_from(list(METHODS)))]
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(0, 256, (2, n, c, height, width), generator=generator, dtype=torch.uint8)
    if data.draw(st.booleans()):
        a, b = a / 255, b / 255
    layout = data.draw(st.sampled_from(["as it is", "channels_last", "reversed", "transposed"]))
    if layout == "channels_last":
        a = a.contiguous(memory_format=torch.channels_last)
    elif layout == "reversed":
        a, b = b.flip(0), a.flip(0)
    elif layout == "transposed":
        b = b.transpose(2, 3).contiguous().transpose(2, 3)
    assume(phases_are_known(a) and phases_are_known(b))
    options = {"mean": [0.1 * i for i in range(c)], "std": [0.5 + 0.1 * i for i in range(c)]}
    y = call(a, b, dtype=dtype, memory_format=memory_format, backend="native", **options)
    assert_within(y, call(a, b, dtype=torch.float64, backend="reference", **options), tolerance[dtype], 2.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_other_floating_inputs(dtype, make_images):
    pair = [make_images(2, 3, 24, 35, dtype) for _ in range(2)]
    for call, tolerance in METHODS.values():
        wanted = call(*pair, dtype=torch.float64, backend="reference")
        assert_within(call(*pair, backend="native"), wanted, tolerance[torch.float32])


@pytest.mark.parametrize("name", METHODS)
def test_an_output_with_gaps_in_its_rows(name, make_images):
    call, _ = METHODS[name]
    pair = [make_images(2, 3, 12, 10) for _ in range(2)]
    wanted = call(*pair, backend="native")
    buffer = torch.full((*wanted.shape[:-1], 20), torch.nan)
    call(*pair, backend="native", out=buffer[..., ::2])
    assert torch.equal(buffer[..., ::2], wanted)
    assert buffer[..., 1::2].isnan().all()


@pytest.mark.parametrize(("size", "reason"), [((31, 32), "side 31 has a prime factor over 7"), ((2100, 2), "2048")])
def test_sides_that_it_refuses_are_served_by_torch(size, reason, make_images):
    x = make_images(1, 1, *size)
    with pytest.raises(vb.BackendError, match=reason):
        vb.cue_conflict(x, x, backend="native")
    output = Output((0.0,), (1.0,), torch.float32, x.device)
    assert OP.pick(Spec(*size, x.dtype, output))[0] == "torch"
    assert OP.pick(Spec(32, 32, x.dtype, output))[0] == "native"
