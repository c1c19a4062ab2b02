# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""silhouette in torch operators, on any device.

mask [N, 1, H, W], texture [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16, f32 or f64, any strides
"""

from torch import Tensor

from visionbias.ops.chunks import fill, pixels
from visionbias.ops.output import Finish, Output
from visionbias.ops.silhouette.spec import Ground, Kernel


def torch_kernel(output: Output) -> Kernel:
    """Fills its output chunk by chunk."""
    finish = Finish(output)

    def run(mask: Tensor, texture: Tensor, ground: Ground, out: Tensor) -> None:
        def make(rows: slice) -> Tensor:
            cover = pixels(mask[rows], output.compute)
            below = pixels(ground[rows], output.compute) if isinstance(ground, Tensor) else ground
            return cover * pixels(texture[rows], output.compute) + (1.0 - cover) * below

        fill(out, finish, make)

    return run
