# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank by the CPU engine: csrc/cpu/filter_bank.

x [N, C, H, W] u8 or float, any strides -> out [F, N, C, H, W] f16, bf16 or f32
Sides whose prime factors are 2, 3, 5 and 7. An image is in the caches from its first pixel to its last condition;
images are spread over `torch.get_num_threads()` threads.
"""

import torch
from torch import Tensor

from visionbias.ops.filter_bank.masks import distinct_masks
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.kernel_memory import scale_and_shift
from visionbias.ops.native import (
    engine,
    engine_output,
    images_in,
    images_out,
    memory,
    refuse_output,
    refuse_transform,
)


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    return refuse_output(spec.dtype, spec.device) or refuse_transform(spec.height, spec.width)


class NativeKernel:
    """The engine's plan of a bank."""

    def __init__(self, spec: Spec) -> None:
        self.bank = engine().FilterBank(size=spec.image, **scale_and_shift(spec.mean, spec.std))
        for inner, served in distinct_masks(spec.bands, spec.height, spec.width):
            half = torch.tensor(inner, dtype=torch.float32, device=spec.device)
            bands = [(f, spec.bands[f].complement, spec.bands[f].offset) for f in served]
            self.bank.add_mask(half=memory(half), bands=bands)

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        with engine_output(out) as y:
            self.bank.run(x=images_in(x), out=images_out(y), n=len(x), threads=torch.get_num_threads())
