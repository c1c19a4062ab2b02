# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank as a torch custom op: what autograd, torch.compile and torch.export see.

An op's arguments must be plain, so bands travel as text. The filters are linear and self-adjoint; the gradient is zero
where the clip is active. It is computed by the torch backend, whichever backend filtered.
"""

# A fake and a set-up function must have the whole signature of their op.
# ruff: noqa: ARG001

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.filter_bank.bands import Band, Kind, Window
from visionbias.ops.filter_bank.plan import plan
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.filter_bank.torch import TorchKernel
from visionbias.ops.memory import empty_images, is_dual


def encode(bands: Sequence[Band]) -> str:
    """Bands as text, exact to the last bit of every number."""
    fields = (
        (band.kind, ",".join(map(repr, band.cutoffs)), band.window, str(band.order or ""), repr(band.offset))
        for band in bands
    )
    return ";".join(":".join(field) for field in fields)


def decode(text: str) -> tuple[Band, ...]:
    """The bands that `encode` was given."""
    bands = []
    for field in text.split(";"):
        kind, cutoffs, window, order, offset = field.split(":")
        numbers = tuple(map(float, cutoffs.split(",")))
        bands.append(
            Band(cast(Kind, kind), numbers, cast(Window, window), int(order) if order else None, float(offset))
        )
    return tuple(bands)


@torch.library.custom_op("visionbias::filter_bank", mutates_args=())
def filter_bank_op(
    x: Tensor,  # [N, C, H, W]
    bands: str,  # F, encoded
    mean: Sequence[float],  # [C]
    std: Sequence[float],  # [C]
    dtype: torch.dtype,
    channels_last: bool,
    backend: str,
) -> Tensor:
    """New tensor [F, N, C, H, W]; see `filter_bank`."""
    prepared = plan(_spec(x, bands, mean, std, dtype), backend)
    return prepared.run(x, memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@torch.library.custom_op("visionbias::filter_bank_backward", mutates_args=())
def filter_bank_backward(
    grad: Tensor,  # [F, N, C, H, W]
    x: Tensor,  # [N, C, H, W] floating
    bands: str,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype,
) -> Tensor:
    """Gradient in x, [N, C, H, W]."""
    kernel = plan(_spec(x, bands, mean, std, dtype), "torch").kernel
    assert isinstance(kernel, TorchKernel)
    return kernel.backward(x, grad)


@filter_bank_op.register_fake
def _(
    x: Tensor,
    bands: str,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype,
    channels_last: bool,
    backend: str,
) -> Tensor:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    n, c, h, w = x.shape
    return empty_images((bands.count(";") + 1, n), (c, h, w), x, dtype, memory_format)


@filter_bank_backward.register_fake
def _(grad: Tensor, x: Tensor, bands: str, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype) -> Tensor:
    return x.new_empty(x.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, ctx.bands, ctx.mean, ctx.std, ctx.dtype, _, _ = inputs
    ctx.save_for_backward(x)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    (x,) = ctx.saved_tensors
    needed = ctx.needs_input_grad[0]
    flow = filter_bank_backward(grad, x, ctx.bands, ctx.mean, ctx.std, ctx.dtype) if needed else None
    return flow, None, None, None, None, None, None


filter_bank_op.register_autograd(_backward, setup_context=_setup_context)


def check_derivative(x: Tensor) -> None:
    """Demand that x is not under a derivative other than `backward`: torch knows no other of a custom op.

    Raises:
        ShapeError: it is.
    """
    if not torch.compiler.is_dynamo_compiling() and (is_dual(x) or torch._C._functorch.is_gradtrackingtensor(x)):
        raise ShapeError("filter_bank: torch.func and forward mode have no derivative of it; use backward()")


@filter_bank_op.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], x: Tensor, *options: Any) -> tuple[Tensor, int]:
    check_derivative(x)
    images = x.movedim(in_dims[0] or 0, 0)  # [V, N, C, H, W]: the only tensor, so it is the one with V
    y = filter_bank_op(images.flatten(0, 1), *options)
    return y.unflatten(1, images.shape[:2]), 1


@filter_bank_backward.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], grad: Tensor, x: Tensor, *options: Any) -> tuple[Tensor, int]:
    grads, images = (
        t.movedim(dim, 0) if dim is not None else t.expand(info.batch_size, *t.shape)
        for t, dim in zip((grad, x), in_dims, strict=False)
    )
    flow = filter_bank_backward(grads.movedim(0, 1).flatten(1, 2), images.flatten(0, 1), *options)
    return flow.unflatten(0, images.shape[:2]), 0


def _spec(x: Tensor, bands: str, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype) -> Spec:
    return Spec(decode(bands), x.shape[2], x.shape[3], tuple(mean), tuple(std), x.dtype, dtype, x.device)
