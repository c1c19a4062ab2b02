# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""normalize in torch operators, on any device and differentiable.

x [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16, f32 or f64, any strides
"""

import torch
from torch import Tensor

from visionbias.ops.normalize.spec import Spec


class TorchKernel:
    """Mean and standard deviation on their device."""

    def __init__(self, spec: Spec) -> None:
        c = len(spec.mean)
        self.compute = torch.float64 if spec.dtype == torch.float64 else torch.float32
        self.mean = torch.tensor(spec.mean, dtype=self.compute, device=spec.device).view(c, 1, 1)
        self.std = torch.tensor(spec.std, dtype=self.compute, device=spec.device).view(c, 1, 1)

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        out.copy_(self.value(x))

    def value(self, x: Tensor) -> Tensor:
        """The result in the dtype of the computation and the layout of x; autograd sees through it."""
        pixels = x.to(self.compute)
        if x.dtype == torch.uint8:
            pixels = pixels / 255.0
        return (pixels - self.mean) / self.std
