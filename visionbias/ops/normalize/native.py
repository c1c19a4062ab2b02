# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""normalize by the CPU engine: u8 to float, both stored as H, W, C.

x [N, C, H, W] u8 -> out [N, C, H, W] f16, bf16 or f32; rows of both hold W, C without gaps, any stride between rows and
between images. 224x224x3 to bf16: 0.45 MB moved an image, bound by memory bandwidth.
"""

import torch
from torch import Tensor

from visionbias.ops.kernel_memory import kernel_output, scale_and_shift
from visionbias.ops.native import engine, images_in, images_out, refuse_output
from visionbias.ops.normalize.spec import Spec


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    if reason := refuse_output(spec.dtype, spec.device):
        return reason
    if spec.input != torch.uint8:
        return f"x is {spec.input}, it takes torch.uint8"
    if not spec.x_rows:
        return "x is not channels_last in memory"
    if not spec.out_rows:
        return "the output is not channels_last in memory"
    return None


class NativeKernel:
    """x * scale + shift, with the numbers of each channel."""

    def __init__(self, spec: Spec) -> None:
        self.numbers = scale_and_shift(spec.mean, spec.std, white=255.0)

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        with kernel_output(out) as y:
            engine().normalize(
                x=images_in(x), out=images_out(y[None]), n=len(x), size=tuple(x.shape[1:]), **self.numbers
            )
