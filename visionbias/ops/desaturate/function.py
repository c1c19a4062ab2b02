# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `desaturate` and its backends."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.desaturate import reference
from visionbias.ops.desaturate.spec import Kernel
from visionbias.ops.desaturate.torch import torch_kernel
from visionbias.ops.output import Output, finish_reference, prepare_output, writing
from visionbias.ops.tensors import float64_pixels, number_between
from visionbias.runtime.dispatch import Impl, Op


def _reference(output: Output) -> Kernel:
    def run(x: Tensor, strength: float, out: Tensor) -> None:
        out.copy_(finish_reference(reference.desaturate(float64_pixels(x), strength), output))

    return run


OP: Op[Output, Kernel] = Op("desaturate", {"torch": Impl(torch_kernel), "reference": Impl(_reference, on_request=True)})


def desaturate(
    x: Tensor,  # [N, 3, H, W] u8 (value / 255) or float in [0, 1], any strides
    *,
    strength: float = 1.0,  # 0 is x, 1 is grey
    mean: Sequence[float] | Tensor | None = None,  # [3], default 0
    std: Sequence[float] | Tensor | None = None,  # [3], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, 3, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """x + strength * (luma - x), clipped to [0, 1], normalized and cast, [N, 3, H, W]. It has no gradient.

    Raises:
        ShapeError: an argument is of another shape or kind, or x wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    output, out = prepare_output("desaturate", x, (), mean, std, dtype, memory_format, out)
    if x.shape[1] != 3:
        raise ShapeError(f"desaturate: x must be RGB, [N, 3, H, W], got {tuple(x.shape)}")
    strength = number_between("desaturate", "strength", strength, 0.0, 1.0)
    with writing("desaturate", out):
        OP.pick(output, backend)[1].make(output)(x, strength, out)
    return out
