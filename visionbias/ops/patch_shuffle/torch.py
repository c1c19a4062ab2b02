# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""patch_shuffle in torch operators, on any device: a gather of blocks.

x [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16, f32 or f64, any strides
"""

import torch
from torch import Tensor

from visionbias.ops.chunks import fill, pixels
from visionbias.ops.output import Finish, Output
from visionbias.ops.patch_shuffle.spec import Kernel


def torch_kernel(output: Output) -> Kernel:
    """Fills its output chunk by chunk."""
    finish = Finish(output)

    def run(x: Tensor, words: Tensor, grid: int, out: Tensor) -> None:
        order = torch.argsort(words, dim=1, stable=True)

        def make(rows: slice) -> Tensor:
            images = pixels(x[rows], output.compute)
            n, c, h, w = images.shape
            blocks = images.reshape(n, c, grid, h // grid, grid, w // grid).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
            index = order[rows].view(n, -1, 1, 1, 1).expand_as(blocks)
            moved = blocks.gather(1, index).view(n, grid, grid, c, h // grid, w // grid)
            return moved.permute(0, 3, 1, 4, 2, 5).reshape(n, c, h, w)

        fill(out, finish, make)

    return run
