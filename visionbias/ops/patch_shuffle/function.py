# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `patch_shuffle` and its backends."""

from collections.abc import Sequence
from math import gcd

import numpy as np
import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.output import Output, finish_reference, prepare_output, writing
from visionbias.ops.patch_shuffle import reference
from visionbias.ops.patch_shuffle.spec import Kernel
from visionbias.ops.patch_shuffle.torch import torch_kernel
from visionbias.ops.philox import checked_seed, random_words, sample_keys, stream
from visionbias.ops.tensors import float64_pixels
from visionbias.runtime.dispatch import Impl, Op


def _reference(output: Output) -> Kernel:
    def run(x: Tensor, words: Tensor, grid: int, out: Tensor) -> None:
        order = reference.order(words.cpu().numpy())
        out.copy_(finish_reference(reference.patch_shuffle(float64_pixels(x), order, grid), output))

    return run


OP: Op[Output, Kernel] = Op(
    "patch_shuffle", {"torch": Impl(torch_kernel), "reference": Impl(_reference, on_request=True)}
)


def patch_shuffle(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    *,
    grid: int,
    sample_ids: Sequence[str],  # [N]
    seed: int = 0,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """x cut into grid x grid blocks in a random order, a function of (seed, grid, sample id), normalized and cast.

    `grid` divides H and W; `sample_ids` names the images, a text each. Returns [N, C, H, W]. It has no gradient.

    Raises:
        ShapeError: an argument is of another shape or kind, the sides of x are no multiples of `grid`, or x wants a
            gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    output, out = prepare_output("patch_shuffle", x, (), mean, std, dtype, memory_format, out)
    if isinstance(grid, bool) or not isinstance(grid, (int, np.integer)) or grid < 1:
        raise ShapeError(f"patch_shuffle: grid must be a whole number of at least 1, got {grid!r}")
    grid = int(grid)
    common = gcd(*x.shape[2:])
    if common % grid:
        possible = [g for g in range(1, common + 1) if common % g == 0]
        raise ShapeError(
            f"patch_shuffle: grid must divide the sides {tuple(x.shape[2:])}, got {grid}; "
            f"try one of {', '.join(map(str, possible))}"
        )
    keys = sample_keys("patch_shuffle", sample_ids, len(x))
    seed, sequence = checked_seed("patch_shuffle", seed), stream(f"patch_shuffle/{grid}")
    with writing("patch_shuffle", out):
        words = random_words(seed, sequence, keys, grid * grid, x.device)
        OP.pick(output, backend)[1].make(output)(x, words, grid, out)
    return out
