# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank by Triton against the float64 definition, on a GPU or, under TRITON_INTERPRET=1, on the CPU.

test_triton_interpreted.py runs this file with that variable set, which must precede the import of Triton.
"""

import os

import pytest
import torch
from tolerances import FILTER_BANK, FILTER_BANK_FAST, assert_within

import visionbias as vb
from visionbias.ops.fastest import fastest
from visionbias.ops.filter_bank import triton
from visionbias.ops.filter_bank.custom_op import encode, filter_bank_op
from visionbias.ops.filter_bank.plan import plan
from visionbias.ops.filter_bank.spec import Spec

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"

pytestmark = [
    pytest.mark.skipif(
        not GPU and os.environ.get("TRITON_INTERPRET") != "1", reason="needs a GPU, or TRITON_INTERPRET=1"
    ),
    *([pytest.mark.gpu] if GPU else []),
]

BANDS = (
    vb.lowpass(0.3),
    vb.highpass(0.7, offset=0.5),  # shares its inner mask
    vb.highpass(1.0),
    vb.bandpass(0.2, 0.5, "box"),
    vb.lowpass(0.4, "butterworth", 3),
    vb.octave(2),
)
FEW = BANDS[:3]
MEAN, STD = (0.485, 0.456), (0.229, 0.224)
OPTIONS = {"mean": MEAN, "std": STD, "backend": "triton"}
SIZES = [(1, 1), (1, 7), (5, 64), (64, 64), (97, 70)]
ON_A_GPU = [(128, 128), (160, 160), (224, 224), (299, 299), (384, 256), (384, 384), (512, 131)]
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def definition(x, bands=BANDS, **options):
    options = {name: value for name, value in options.items() if name in ("mean", "std")}
    return vb.filter_bank(x.cpu(), bands, dtype=torch.float64, backend="reference", **options)


def poisoned(f, n, c, h, w, dtype=torch.float32, channels_last=False):
    shape = (f, n, h, w, c) if channels_last else (f, n, c, h, w)
    out = torch.full(shape, torch.nan, dtype=dtype, device=DEVICE)
    return out.movedim(-1, -3) if channels_last else out


def test_negative_views_are_their_numbers(make_images):
    x = make_images(1, 2, 64, 64, torch.float32).to(DEVICE)
    out = torch._neg_view(poisoned(len(BANDS), *x.shape))
    version = out._version
    assert vb.filter_bank(torch._neg_view(-x), BANDS, out=out, **OPTIONS) is out
    assert out._version > version
    assert_within(out.resolve_neg(), definition(x, **OPTIONS), FILTER_BANK[torch.float32], 1 / min(STD))


def test_autograd_learns_that_out_is_overwritten(make_images):
    x = make_images(1, 2, 64, 64, torch.float32).to(DEVICE)
    out = poisoned(len(BANDS), *x.shape)
    version = out._version
    vb.filter_bank(x, BANDS, out=out, **OPTIONS)
    assert out._version > version


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_sizes(size, dtype, make_images):
    x = make_images(1, 2, *size, dtype).to(DEVICE)
    y = vb.filter_bank(x, BANDS, out=poisoned(len(BANDS), *x.shape), **OPTIONS)
    assert_within(y, definition(x, **OPTIONS), FILTER_BANK[torch.float32], 1 / min(STD))


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU")
@pytest.mark.parametrize("size", ON_A_GPU, ids=str)
@pytest.mark.parametrize("channels_last", [False, True], ids=["nchw", "nhwc"])
def test_sizes_on_a_gpu(size, channels_last, make_images):
    x = make_images(3, 2, *size).to(DEVICE)
    for dtype in FLOATS[1:]:
        y = vb.filter_bank(x, BANDS, dtype=dtype, out=poisoned(len(BANDS), *x.shape, dtype, channels_last), **OPTIONS)
        assert_within(y, definition(x, **OPTIONS), FILTER_BANK[dtype], 1 / min(STD))


@pytest.mark.parametrize("size", [(140, 66), (258, 64)], ids=str)
@pytest.mark.parametrize("backend", ["triton", "triton_fast"])
def test_large_tiles(size, backend, make_images):
    x = make_images(1, 1, *size).to(DEVICE)
    y = vb.filter_bank(x, FEW, out=poisoned(len(FEW), *x.shape), backend=backend)
    tolerances = FILTER_BANK if backend == "triton" else FILTER_BANK_FAST
    assert_within(y, definition(x, FEW), tolerances[torch.float32])


@pytest.mark.parametrize(
    ("input_dtype", "dtype"),
    [*((torch.uint8, dtype) for dtype in FLOATS[1:]), *((dtype, torch.float32) for dtype in FLOATS)],
    ids=str,
)
@pytest.mark.parametrize("channels_last", [False, True], ids=["nchw", "nhwc"])
def test_dtypes_and_memory_formats(input_dtype, dtype, channels_last, make_images):
    x = make_images(1, 2, 20, 35, input_dtype, layout="interleaved" if channels_last else "contiguous").to(DEVICE)
    y = vb.filter_bank(x, FEW, dtype=dtype, out=poisoned(len(FEW), *x.shape, dtype, channels_last), **OPTIONS)
    assert_within(y, definition(x, FEW, **OPTIONS), FILTER_BANK[dtype], 1 / min(STD))


@pytest.mark.parametrize("layout", ["transposed", "sliced", "stepped"])
def test_strides(layout, make_images):
    x = make_images(2, 3, 12, 10, layout=layout).to(DEVICE)
    room = torch.full((len(FEW), 4, 3, 12, 20), torch.nan, device=DEVICE)
    out = room[:, 1:3, :, :, ::2]
    assert_within(vb.filter_bank(x, FEW, out=out, backend="triton"), definition(x, FEW), FILTER_BANK[torch.float32])
    assert room[:, ::3].isnan().all()
    assert room[..., 1::2].isnan().all()


def test_planes_out_of_the_reach_of_32_bits_are_copied(monkeypatch, make_images):
    x = make_images(2, 2, 9, 8, layout="stepped").to(DEVICE)
    room = torch.full((len(FEW), 2, 2, 9, 16), torch.nan, device=DEVICE)
    wanted = vb.filter_bank(x, FEW, backend="triton")
    monkeypatch.setattr(triton, "_REACH", 9 * 8)
    assert torch.equal(vb.filter_bank(x, FEW, out=room[..., ::2], backend="triton"), wanted)


def test_bits_do_not_depend_on_the_batch_or_the_bank(monkeypatch, make_images):
    x = make_images(5, 2, 33, 40).to(DEVICE)
    whole = vb.filter_bank(x, FEW, backend="triton")
    assert torch.equal(vb.filter_bank(x, FEW, backend="triton"), whole)
    assert torch.equal(vb.filter_bank(x[3:4], FEW, backend="triton"), whole[:, 3:4])
    assert torch.equal(vb.filter_bank(x[:1], FEW[1], backend="triton")[0], whole[1, :1])
    monkeypatch.setattr(triton, "_WORKSPACE", 2 * 4 * 2 * 32 * 32)  # two images at a time
    assert torch.equal(vb.filter_bank(x, FEW, backend="triton"), whole)


def test_nan_and_infinity_make_their_channel_nan_and_no_other(make_images):
    x = make_images(2, 2, 16, 16, torch.float32).to(DEVICE)
    clean = vb.filter_bank(x, FEW, backend="triton")
    for value in (torch.nan, torch.inf, 1e9):
        x[1, 0, 3, 5] = value
        y = vb.filter_bank(x, FEW, backend="triton")
        assert torch.equal(y[:, 0], clean[:, 0])
        assert torch.equal(y[:, 1, 1], clean[:, 1, 1])
        assert y[:2, 1, 0].isnan().all()


def test_no_images_and_no_frequencies(make_images):
    x = make_images(2, 1, 8, 8, torch.float32).to(DEVICE)
    assert vb.filter_bank(x[:0], FEW, backend="triton").shape == (3, 0, 1, 8, 8)
    y = vb.filter_bank(x, [vb.lowpass(0.0), vb.highpass(1.0)], backend="triton")
    assert_within(y, definition(x, [vb.lowpass(0.0), vb.highpass(1.0)]), FILTER_BANK[torch.float32])


def test_torch_accepts_the_op(make_images):
    x = make_images(1, 2, 5, 6, torch.float32).to(DEVICE).requires_grad_()
    torch.library.opcheck(filter_bank_op, (x, encode(FEW), MEAN, STD, torch.bfloat16, True, "triton"))


def test_fast_and_exact_are_different_plans(make_images):
    x = make_images(8, 3, 24, 24).to(DEVICE)  # of one image alone the error varies by a factor of three
    exact, fast = (vb.filter_bank(x, FEW, backend=name).cpu() for name in ("triton", "triton_fast"))
    rms = [(y - definition(x, FEW)).square().mean().sqrt() * 255 for y in (exact, fast)]
    assert rms[0] < 3e-4
    assert 1e-3 < rms[1] < 0.06


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU")
def test_runs_on_the_current_stream(make_images):
    x = make_images(64, 3, 224, 224)
    wanted = vb.filter_bank(x.to(DEVICE), FEW, backend="triton")
    for _ in range(3):
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            torch.cuda._sleep(20_000_000)  # what follows on another stream would read too early
            late = torch.zeros(x.shape, dtype=x.dtype, device=DEVICE)
            late.copy_(x)
            y = vb.filter_bank(late, FEW, backend="triton")
        stream.synchronize()
        assert torch.equal(y, wanted)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_another_device_than_the_current(make_images):
    x = make_images(2, 2, 64, 64).to("cuda:1")
    y = vb.filter_bank(x, BANDS, **OPTIONS)
    assert y.device == x.device
    assert torch.cuda.current_device() == 0
    assert_within(y, definition(x, **OPTIONS), FILTER_BANK[torch.float32], 1 / min(STD))
    with pytest.raises(vb.ShapeError, match="out must be on cuda:1 as x is, got cuda:0"):
        vb.filter_bank(x, BANDS, out=torch.empty(y.shape, device="cuda:0"), backend="triton")


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU")
def test_auto_takes_what_is_measured_and_else_torch(make_images):
    x = make_images(1, 3, 64, 64).to(DEVICE)
    spec = Spec(FEW, 64, 64, (0.0,) * 3, (1.0,) * 3, x.dtype, torch.float16, x.device)
    assert plan(spec).backend == (fastest("filter_bank", x.device, 64, 64) or "torch")
