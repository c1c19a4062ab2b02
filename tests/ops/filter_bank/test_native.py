# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank by the CPU engine: the same bits from every instruction set, threads, forks, and what it refuses."""

import os
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instruction_sets import ENGINE, SMOOTH, on_target
from tolerances import FILTER_BANK, assert_within

import visionbias as vb
from visionbias.ops.filter_bank.bands import WINDOWS
from visionbias.ops.kernel_memory import KERNEL_DTYPES

pytestmark = pytest.mark.skipif(ENGINE is None, reason="visionbias._C is not built")

BANDS = (vb.lowpass(0.2), vb.highpass(0.8, offset=0.25), vb.lowpass(0.4, "gaussian"), vb.octave(3), vb.highpass(0.0))


def filtered(x, **options):
    return vb.filter_bank(x, BANDS, backend="native", **options)


def test_the_best_target_is_first_and_chosen():
    assert ENGINE.targets()[-1] == "scalar"
    assert ENGINE.target() == ENGINE.targets()[0]
    with pytest.raises(ValueError, match="this processor does not run sse9"):
        ENGINE.choose_target("sse9")


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (49, 1), (8, 5), (30, 49), (64, 48), (135, 224), (512, 2)], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("input_dtype", [torch.uint8, torch.float32], ids=str)
def test_every_target_gives_the_bits_of_plain_code(target, size, memory_format, input_dtype, make_images):
    x = make_images(2, 3, *size, input_dtype)
    for dtype in KERNEL_DTYPES:
        y = filtered(x, dtype=dtype, memory_format=memory_format)
        with on_target("scalar"):
            assert torch.equal(y, filtered(x, dtype=dtype, memory_format=memory_format))
        wanted = vb.filter_bank(x, BANDS, dtype=torch.float64, backend="reference")
        assert_within(y, wanted, FILTER_BANK[dtype])


@given(st.data(), st.integers(0, 2**31))
@settings(max_examples=500, deadline=None)
def test_any_call(data, seed):
    height, width = data.draw(st.sampled_from(SMOOTH)), data.draw(st.sampled_from(SMOOTH))
    n, c = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 5))
    dtype = data.draw(st.sampled_from(KERNEL_DTYPES))
    memory_format = data.draw(st.sampled_from([torch.contiguous_format, torch.channels_last]))
    cutoff, offset = data.draw(st.floats(0, 1)), data.draw(st.sampled_from([0.0, 0.5]))
    window = data.draw(st.sampled_from(WINDOWS))
    bands = (vb.lowpass(cutoff, window), vb.highpass(cutoff, window, offset=offset), vb.octave(10 * cutoff - 3))
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (n, c, height, width), generator=generator, dtype=torch.uint8)
    if data.draw(st.booleans()):
        x = x / 255
    x = data.draw(st.sampled_from([x, x.contiguous(memory_format=torch.channels_last), x.flip(0)]))
    mean, std = [0.1 * i for i in range(c)], [0.5 + 0.1 * i for i in range(c)]
    y = vb.filter_bank(x, bands, mean=mean, std=std, dtype=dtype, memory_format=memory_format, backend="native")
    wanted = vb.filter_bank(x, bands, mean=mean, std=std, dtype=torch.float64, backend="reference")
    assert_within(y, wanted, FILTER_BANK[dtype], 2.0)


@pytest.mark.parametrize(("size", "reason"), [((31, 32), "side 31 has a prime factor over 7"), ((2100, 2), "2048")])
def test_sides_that_it_refuses_are_served_by_torch(size, reason, make_images):
    x = make_images(1, 1, *size)
    with pytest.raises(vb.BackendError, match=reason):
        filtered(x)
    assert vb.FilterBank(BANDS).plan(x).backend == "torch"
    assert vb.FilterBank(BANDS).plan(make_images(1, 1, 32, 32)).backend == "native"


def test_an_output_with_gaps_in_its_rows(make_images):
    x = make_images(2, 3, 12, 10)
    buffer = torch.full((len(BANDS), 2, 3, 12, 20), torch.nan)
    filtered(x, out=buffer[..., ::2])
    assert torch.equal(buffer[..., ::2], filtered(x))
    assert buffer[..., 1::2].isnan().all()


@pytest.mark.parametrize("width", [16, 48, 80, 112])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_an_output_with_gaps_between_its_rows(width, dtype, make_images):
    x = make_images(2, 3, 48, width)
    room = torch.full((len(BANDS), 2, 3, 48, 128), torch.nan, dtype=dtype)
    filtered(x, dtype=dtype, out=room[..., :width])
    assert torch.equal(room[..., :width], filtered(x, dtype=dtype))
    assert room[..., width:].isnan().all()


def test_nan_and_infinity_make_their_image_nan_and_no_other(make_images):
    x = make_images(3, 1, 16, 16, torch.float32)
    clean = filtered(x)
    for value in (torch.inf, -torch.inf, torch.nan):
        x[1, 0, 3, 5] = value
        y = filtered(x)
        assert torch.equal(y[:, ::2], clean[:, ::2])
        assert y[0, 1].isnan().all()


def test_callers_in_many_threads_get_their_own_images(make_images):
    images = [make_images(5, 3, 32, 32) for _ in range(8)]
    wanted = [filtered(x) for x in images]
    right = [0] * len(images)

    def work(i):
        for _ in range(20):
            right[i] += torch.equal(filtered(images[i]), wanted[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [20] * len(images)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_threads_of_its_own(make_images):
    x = make_images(6, 3, 32, 32)
    wanted = filtered(x).numpy().tobytes()  # the parent has its threads
    child = os.fork()
    if child == 0:  # torch's own threads do not survive a fork, so NumPy compares
        os._exit(0 if filtered(x).numpy().tobytes() == wanted else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert filtered(x).numpy().tobytes() == wanted
