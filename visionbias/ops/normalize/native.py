# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""normalize by the CPU engine: u8 to float, both stored as H, W, C.

x [N, C, H, W] u8 -> out [N, C, H, W] f16, bf16 or f32; rows of both hold W, C without gaps, any stride between rows and
between images. 224x224x3 to bf16: 0.45 MB moved an image, bound by memory bandwidth.
"""

import torch
from torch import Tensor

from visionbias.ops.native import NOT_BUILT, engine
from visionbias.ops.normalize.spec import Spec

OUTPUTS = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    if spec.device.type != "cpu":
        return f"x is on {spec.device}, it works on the CPU"
    if spec.input != torch.uint8:
        return f"x is {spec.input}, it takes torch.uint8"
    if spec.dtype not in OUTPUTS:
        return f"it does not write {spec.dtype}"
    if not spec.x_rows:
        return "x is not channels_last in memory"
    if not spec.out_rows:
        return "the output is not channels_last in memory"
    if engine() is None:
        return NOT_BUILT
    return None


class NativeKernel:
    """x * scale + shift, with the numbers of each channel."""

    def __init__(self, spec: Spec) -> None:
        self.output = OUTPUTS[spec.dtype]
        self.scale = torch.tensor([1.0 / (255.0 * std) for std in spec.std], dtype=torch.float32)
        self.shift = torch.tensor(
            [-mean / std for mean, std in zip(spec.mean, spec.std, strict=True)], dtype=torch.float32
        )

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        n, c, h, w = x.shape
        engine().normalize(
            x=x.data_ptr(),
            x_stride_n=x.stride(0),
            x_stride_h=x.stride(2),
            out=out.data_ptr(),
            out_stride_n=out.stride(0),
            out_stride_h=out.stride(2),
            output=self.output,
            n=n,
            h=h,
            w=w,
            c=c,
            scale=self.scale.data_ptr(),
            shift=self.shift.data_ptr(),
        )
