# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every backend of normalize against the float64 definition, and the engine's rounding against torch's."""

import pytest
import torch
from tolerances import NORMALIZE, assert_within

import visionbias as vb
from visionbias.ops.native import engine, memory, refuse_output

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OUTPUTS = [torch.float32, torch.float16, torch.bfloat16]
SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (31, 31), (97, 131), (224, 224)]

needs_engine = pytest.mark.skipif(engine() is None, reason="visionbias._C is not built")
BACKENDS = [pytest.param("native", marks=needs_engine), "torch", "reference"]
LAYOUTS = ["contiguous", "channels_last", "interleaved", "transposed", "sliced", "stepped"]


def definition(x, mean=MEAN, std=STD):
    return vb.normalize(x.cpu(), mean, std, dtype=torch.float64, backend="reference")


def poisoned(n, c, h, w, dtype, device="cpu"):
    """A channels_last buffer of NaN with room around [n, c, h, w], and that part of it."""
    buffer = torch.full((n + 2, h + 2, w, c), torch.nan, dtype=dtype, device=device).permute(0, 3, 1, 2)
    return buffer, buffer[1:-1, :, 1:-1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", OUTPUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(backend, dtype, size, make_images):
    x = make_images(2, 3, *size, layout="interleaved")
    buffer, out = poisoned(2, 3, *size, dtype)
    assert vb.normalize(x, MEAN, STD, dtype=dtype, out=out, backend=backend) is out
    assert_within(out, definition(x), NORMALIZE[dtype], 1 / min(STD))
    out.fill_(torch.nan)
    assert buffer.isnan().all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
def test_layouts(layout, memory_format, device, make_images):
    x = make_images(3, 3, 10, 14, layout=layout).to(device)
    y = vb.normalize(x, MEAN, STD, memory_format=memory_format)
    assert y.is_contiguous(memory_format=memory_format)
    assert_within(y, definition(x), NORMALIZE[torch.float32], 1 / min(STD))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("c", [1, 2, 4, 7])
def test_channels(backend, c, make_images):
    x = make_images(2, c, 6, 11, layout="interleaved")
    mean, std = [0.1 * i for i in range(c)], [0.5 + 0.1 * i for i in range(c)]
    _, out = poisoned(2, c, 6, 11, torch.float32)
    vb.normalize(x, mean, std, out=out, backend=backend)
    assert_within(out, definition(x, mean, std), NORMALIZE[torch.float32], 2.0)


@needs_engine
@pytest.mark.parametrize("layout", ["interleaved", "sliced rows"])
def test_native_takes_gaps_between_rows_and_images(layout, make_images):
    x = make_images(6, 3, 12, 9, layout="interleaved")
    if layout == "sliced rows":
        x = x[1::2, :, 2:-1:2]
    _, out = poisoned(*x.shape, torch.bfloat16)
    vb.normalize(x, MEAN, STD, dtype=torch.bfloat16, out=out, backend="native")
    assert_within(out, definition(x), NORMALIZE[torch.bfloat16], 1 / min(STD))


@needs_engine
@pytest.mark.parametrize(
    ("x", "options", "reason"),
    [
        (torch.zeros(1, 3, 4, 4), {}, "x is torch.float32, it takes torch.uint8"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), {}, "x is not channels_last in memory"),
        (
            torch.zeros(1, 4, 4, 3, dtype=torch.uint8).permute(0, 3, 1, 2),
            {},
            "the output is not channels_last in memory",
        ),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), {"dtype": torch.float64}, "it does not write torch.float64"),
    ],
)
def test_native_refuses_with_a_sentence(x, options, reason):
    with pytest.raises(vb.BackendError, match=f"normalize: backend 'native' refuses: {reason}"):
        vb.normalize(x, MEAN, STD, backend="native", **options)


def test_native_refuses_other_devices():
    assert refuse_output(torch.float32, torch.device("cuda:0")) == "x is on cuda:0, it works on the CPU"


def test_without_the_engine_torch_serves(monkeypatch, make_images):
    x = make_images(1, 3, 4, 4, layout="interleaved")
    monkeypatch.setattr("visionbias.ops.native.engine", lambda: None)
    # Other numbers than in any other test: kernels are kept, and one of the engine must not be found.
    mean, std = (0.11, 0.12, 0.13), (0.51, 0.52, 0.53)
    with pytest.raises(vb.BackendError, match=r"visionbias._C is not built; run: python setup.py build_ext --inplace"):
        vb.normalize(x, mean, std, memory_format=torch.channels_last, backend="native")
    y = vb.normalize(x, mean, std, memory_format=torch.channels_last)
    assert_within(y, definition(x, mean, std), NORMALIZE[torch.float32], 2.0)


@needs_engine
def test_auto_takes_the_engine_for_crops(make_images):
    x = make_images(2, 3, 8, 8, layout="interleaved")
    auto = vb.normalize(x, MEAN, STD, memory_format=torch.channels_last)
    assert torch.equal(auto, vb.normalize(x, MEAN, STD, memory_format=torch.channels_last, backend="native"))


def engine_rounds(values, dtype):
    """The engine's conversion of float32 values [C]: channels of one white pixel of value 1, scaled by them."""
    c = len(values)
    x = torch.ones(c, dtype=torch.uint8)
    shift = torch.full((c,), -0.0)  # the one number that changes nothing, the sign of zero included
    out = torch.zeros(c, dtype=dtype)
    engine().normalize(
        x=(memory(x), "uint8", (0, 1, 0, c)),
        out=(memory(out), str(dtype).removeprefix("torch."), (0, 1, 0, c), ()),
        n=1,
        size=(c, 1, 1),
        scale=values.tolist(),
        shift=shift.tolist(),
    )
    return out


@needs_engine
@pytest.mark.parametrize("dtype", OUTPUTS)
def test_rounding_is_to_nearest_even_everywhere(dtype):
    # Every sign, exponent and leading mantissa bit, each just below, on and above the ties of both 16-bit types.
    tails = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    heads = torch.arange(2**16, dtype=torch.int64) << 16
    bits = torch.cat([heads | tail for tail in tails])
    values = torch.where(bits < 2**31, bits, bits - 2**32).to(torch.int32).view(torch.float32)
    rounded, wanted = engine_rounds(values, dtype), values.to(dtype)
    assert torch.equal(rounded.isnan(), wanted.isnan())
    number = ~wanted.isnan()
    integer = torch.int32 if dtype == torch.float32 else torch.int16
    assert torch.equal(rounded.view(integer)[number], wanted.view(integer)[number])


def test_gradient_and_compile(make_images):
    x = make_images(1, 3, 4, 5, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda images: vb.normalize(images, MEAN, STD, dtype=torch.float64), x, fast_mode=True
    )
    with pytest.raises(vb.ShapeError, match="out= is not differentiable"):
        vb.normalize(x, MEAN, STD, dtype=torch.float64, out=torch.empty(1, 3, 4, 5, dtype=torch.float64))
    crops = make_images(2, 3, 6, 6, layout="interleaved")
    compiled = torch.compile(lambda images: vb.normalize(images, MEAN, STD), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(crops), vb.normalize(crops, MEAN, STD))


def test_no_images():
    assert vb.normalize(torch.empty(0, 3, 4, 4, dtype=torch.uint8), MEAN, STD).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: vb.normalize(x[0], MEAN, STD),
            r"normalize: x must be \[N, C, H, W\], got \(3, 4, 4\); try x\[None\]",
        ),
        (lambda x: vb.normalize(x, MEAN[:2], STD), "mean must have one value a channel of x, C=3, got 2"),
        (lambda x: vb.normalize(x, MEAN, (0.2, -1.0, 0.2)), "std must be positive"),
        (
            lambda x: vb.normalize(x, MEAN, STD, out=torch.empty(3, 4, 4)),
            r"out must be \(1, 3, 4, 4\), got \(3, 4, 4\)",
        ),
        (lambda x: vb.normalize(x, MEAN, STD, dtype=torch.uint8), "dtype must be one of"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(vb.ShapeError, match=message):
        call(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
