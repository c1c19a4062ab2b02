# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `normalize` and its backends."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.memory import check_plain, is_dual, new_output, recorder
from visionbias.ops.native import stored_as_rows
from visionbias.ops.normalize import reference
from visionbias.ops.normalize.native import NativeKernel, refuse
from visionbias.ops.normalize.spec import Kernel, Spec
from visionbias.ops.normalize.torch import TorchKernel
from visionbias.ops.output import writing
from visionbias.ops.tensors import check_images, check_out, check_output_kind, float64_pixels, per_channel
from visionbias.runtime.dispatch import Impl, Op


class ReferenceKernel:
    """The definition, brought to tensors."""

    def __init__(self, spec: Spec) -> None:
        self.mean, self.std = (np.array(values) for values in (spec.mean, spec.std))

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        out.copy_(torch.from_numpy(reference.normalize(float64_pixels(x), self.mean, self.std)))


OP: Op[Spec, Kernel] = Op(
    "normalize",
    {
        "native": Impl(NativeKernel, refuse),
        "torch": Impl(TorchKernel),
        "reference": Impl(ReferenceKernel, on_request=True),
    },
)


def normalize(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    mean: Sequence[float] | Tensor,  # [C]
    std: Sequence[float] | Tensor,  # [C]
    *,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """(x - mean) / std for each channel, rounded to `dtype`: what a model takes.

    Returns a tensor [N, C, H, W] of the given memory format; or `out`, overwritten, which must not overlap x. Floats
    outside [0, 1] are taken as they are. Computed in float32, or in float64 for that `dtype`. Differentiable in x by
    the backends "auto" and "torch", except with `out`; not in mean and std.

    Raises:
        ShapeError: a tensor has the wrong shape, dtype or device, or a gradient is wanted where there is none.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    check_output_kind("normalize", dtype, memory_format)
    check_images("normalize", x)
    channels = x.shape[1]
    means = per_channel("normalize", "mean", mean, channels, 0.0)
    stds = per_channel("normalize", "std", std, channels, 1.0)
    wants_grad = (x.requires_grad and torch.is_grad_enabled()) or is_dual(x)
    if out is not None:
        check_out("normalize", out, tuple(x.shape), dtype, x.device)
        if wants_grad:
            raise ShapeError("normalize: out= is not differentiable, and x requires a gradient; leave out= away")
    if wants_grad and backend not in ("auto", "torch"):
        raise ShapeError(f"normalize: backend {backend!r} has no gradient, and x requires one; try backend='torch'")
    if backend in ("auto", "torch") and (wants_grad or x.is_meta or torch.compiler.is_dynamo_compiling() or recorder()):
        value = TorchKernel(Spec(means, stds, x.dtype, dtype, x.device, False, False)).value(x)
        value = value.to(dtype).contiguous(memory_format=memory_format)
        return value if out is None else out.copy_(value)
    check_plain("normalize", {"x": x}, out)
    if out is None:
        out = new_output("normalize", (len(x),), (x.shape[1], x.shape[2], x.shape[3]), x, dtype, memory_format)
    kernel = _kernel(Spec(means, stds, x.dtype, dtype, x.device, stored_as_rows(x), stored_as_rows(out)), backend)
    if len(x):
        with writing("normalize", out):
            kernel.run(x, out)
    return out


@lru_cache(maxsize=64)
def _kernel(spec: Spec, backend: str) -> Kernel:
    _, impl = OP.pick(spec, backend)
    return impl.make(spec)
