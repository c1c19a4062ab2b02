# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank under autograd, torch.compile and torch's own op checks."""

import pytest
import torch

import visionbias as vb
from visionbias.ops.filter_bank.custom_op import decode, encode, filter_bank_backward, filter_bank_op

BANDS = (
    vb.lowpass(0.4),
    vb.highpass(0.6),
    vb.highpass(0.2, offset=0.5),
    vb.bandpass(0.1, 0.4),
    vb.lowpass(0.3, "butterworth", 3),
    vb.lowpass(0.0),
)
MEAN, STD = (0.4, 0.5), (0.2, 0.3)


def test_text_holds_bands_exactly():
    bands = (*BANDS, vb.lowpass(0.1 + 0.2), vb.octave(-1.5), vb.highpass(1 / 3, "gaussian", offset=1 / 7))
    assert decode(encode(bands)) == bands


@pytest.mark.parametrize("size", [(5, 6), (4, 7), (1, 1)], ids=str)
def test_gradient(size):
    # High-pass bands without an offset are clipped at about half of their values. A single pixel has no high frequency:
    # its result sits on the clip's edge, where there is no derivative, but for an offset.
    x = torch.rand(2, 2, *size, dtype=torch.float64, requires_grad=True)
    options = {"mean": MEAN, "std": STD, "dtype": torch.float64}
    bands = BANDS if min(size) > 1 else (vb.lowpass(0.4, "gaussian"), vb.highpass(0.2, "gaussian", offset=0.5))
    assert torch.autograd.gradcheck(lambda images: vb.filter_bank(images, bands, **options), x, fast_mode=True)


def test_gradient_is_zero_where_the_clip_is_active():
    x = torch.full((1, 1, 8, 8), 2.0, requires_grad=True)
    vb.filter_bank(x, vb.lowpass(0.5)).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_gradient_in_the_dtype_of_the_image(make_images):
    x = make_images(2, 2, 12, 9, torch.bfloat16).requires_grad_()
    vb.filter_bank(x, BANDS, dtype=torch.float16).float().sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert x.grad.isfinite().all()


def test_no_gradient_is_recorded_without_need(make_images):
    x = make_images(1, 2, 6, 6, torch.float32).requires_grad_()
    with torch.no_grad():
        assert not vb.filter_bank(x, BANDS).requires_grad
        vb.filter_bank(x, BANDS, out=torch.empty(len(BANDS), 1, 2, 6, 6))
    with pytest.raises(vb.ShapeError, match="out= is not differentiable"):
        vb.filter_bank(x, BANDS, out=torch.empty(len(BANDS), 1, 2, 6, 6))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64])
def test_torch_accepts_the_op(dtype, channels_last, make_images):
    x = make_images(2, 2, 5, 6, dtype, layout="channels_last")
    out = torch.float64 if dtype == torch.float64 else torch.bfloat16
    x.requires_grad_(dtype == torch.float64)
    torch.library.opcheck(filter_bank_op, (x, encode(BANDS), MEAN, STD, out, channels_last, "auto"))


def test_torch_accepts_the_gradient_op(make_images):
    x = make_images(2, 2, 5, 6, torch.float64, layout="channels_last")
    grad = torch.rand(len(BANDS), 2, 2, 5, 6, dtype=torch.float64)
    torch.library.opcheck(filter_bank_backward, (grad, x, encode(BANDS), MEAN, STD, torch.float64))


def test_compiles_into_one_graph(make_images):
    # The backend that stops before code generation: what is tested is the graph, not Inductor.
    def model(x):
        return vb.filter_bank(x, BANDS, mean=MEAN, std=STD, memory_format=torch.channels_last).square().sum(0)

    def write(x, out):
        return vb.filter_bank(x, BANDS, out=out)

    bank = vb.FilterBank(BANDS, mean=MEAN, std=STD)
    x = make_images(2, 2, 9, 8, torch.float32)
    compiled = [torch.compile(f, fullgraph=True, backend="aot_eager") for f in (model, bank, write)]
    torch.testing.assert_close(compiled[0](x), model(x))
    torch.testing.assert_close(compiled[1](x), bank(x))
    out = torch.full((len(BANDS), 2, 2, 9, 8), torch.nan)
    compiled[2](x, out)
    torch.testing.assert_close(out, vb.filter_bank(x, BANDS))
    y = x.clone().requires_grad_()
    compiled[0](y).sum().backward()
    z = x.clone().requires_grad_()
    model(z).sum().backward()
    torch.testing.assert_close(y.grad, z.grad)
