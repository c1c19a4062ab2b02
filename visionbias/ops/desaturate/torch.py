# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""desaturate in torch operators, on any device.

x [N, 3, H, W] u8 or float, any strides -> out [N, 3, H, W] f16, bf16, f32 or f64, any strides
"""

from torch import Tensor

from visionbias.ops.chunks import fill, pixels
from visionbias.ops.desaturate.spec import Kernel
from visionbias.ops.output import Finish, Output
from visionbias.ops.tensors import luma


def torch_kernel(output: Output) -> Kernel:
    """Fills its output chunk by chunk."""
    finish = Finish(output)

    def run(x: Tensor, strength: float, out: Tensor) -> None:
        def make(rows: slice) -> Tensor:
            images = pixels(x[rows], output.compute)
            return images + strength * (luma(images) - images)

        fill(out, finish, make)

    return run
