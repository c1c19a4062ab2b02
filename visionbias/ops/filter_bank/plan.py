# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backend serves a call, prepared once and kept."""

from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.fastest import fastest
from visionbias.ops.filter_bank import reference
from visionbias.ops.filter_bank.native import NativeKernel, refuse
from visionbias.ops.filter_bank.spec import Kernel, Spec
from visionbias.ops.filter_bank.torch import TorchKernel
from visionbias.ops.filter_bank.triton import TritonKernel
from visionbias.ops.filter_bank.triton import refuse as refuse_triton
from visionbias.ops.memory import check_plain, memory_for, new_output
from visionbias.ops.output import writing
from visionbias.ops.tensors import check_images, check_out, float64_pixels
from visionbias.runtime.dispatch import NOT_MEASURED, Impl, Op


class ReferenceKernel:
    """The definition, brought to tensors."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        mean, std = (np.array(values) for values in (self.spec.mean, self.spec.std))
        out.copy_(torch.from_numpy(reference.filter_bank(float64_pixels(x), self.spec.bands, mean, std)))


OP: Op[Spec, Kernel] = Op(
    "filter_bank",
    {
        "native": Impl(NativeKernel, refuse),
        "torch": Impl(TorchKernel),
        "triton": Impl(TritonKernel, refuse_triton, on_request=True, why=NOT_MEASURED),
        "triton_fast": Impl(partial(TritonKernel, exact=False), refuse_triton, on_request=True),
        "reference": Impl(ReferenceKernel, on_request=True),
    },
    lambda spec: fastest("filter_bank", spec.device, spec.height, spec.width),
)


class Plan:
    """A filter bank for one image size, dtype and device: masks and backend are settled, `run` only computes."""

    def __init__(self, spec: Spec, backend: str) -> None:
        self.spec = spec
        self.backend, impl = OP.pick(spec, backend)
        with memory_for("filter_bank", spec.image, spec.dtype, spec.device):
            self.kernel = impl.make(spec)

    def run(
        self,
        x: Tensor,  # [N, C, H, W]
        out: Tensor | None = None,  # [F, N, C, H, W], any strides
        memory_format: torch.memory_format = torch.contiguous_format,  # of a new output
    ) -> Tensor:
        """Filter x into `out`, or into a new tensor. `out` must not overlap x. It has no gradient.

        Raises:
            ShapeError: x or out is not what was planned for, or wants a gradient.
            BackendError: there is not enough memory, or a tracer or a transform would miss the kernel.
        """
        spec = self.spec
        check_images("filter_bank", x)
        if (tuple(x.shape[1:]), x.dtype, x.device) != (spec.image, spec.input, spec.device):
            raise ShapeError(
                f"filter_bank: this plan is for {spec.input} [N, {', '.join(map(str, spec.image))}] on {spec.device}, "
                f"got {x.dtype} {tuple(x.shape)} on {x.device}; make another plan"
            )
        lead = (len(spec.bands), len(x))
        if out is not None:
            check_out("filter_bank", out, (*lead, *spec.image), spec.dtype, x.device)
        check_plain("filter_bank", {"x": x}, out)
        if out is None:
            out = new_output("filter_bank", lead, spec.image, x, spec.dtype, memory_format)
        if len(x):
            with writing("filter_bank", out):
                self.kernel.run(x, out)
        return out


@lru_cache(maxsize=64)
def plan(spec: Spec, backend: str = "auto") -> Plan:
    """The plan for `spec`, made at the first call.

    Raises:
        BackendError: no backend, or not the one asked for, serves it.
    """
    return Plan(spec, backend)
