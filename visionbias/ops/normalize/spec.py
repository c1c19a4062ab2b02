# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a backend must know of a normalize call to prepare it."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from visionbias.ops.tensors import Channels


@dataclass(frozen=True, slots=True)
class Spec:
    """A normalize call without its pixels and sizes. Hashable: it is the key of the kernel cache."""

    mean: Channels  # [C]
    std: Channels  # [C]
    input: torch.dtype
    dtype: torch.dtype
    device: torch.device
    x_rows: bool  # whether x and out store a row as W, C without gaps
    out_rows: bool


class Kernel(Protocol):
    """What a backend prepares. May be called from several threads at once."""

    def run(self, x: Tensor, out: Tensor) -> None:
        """Overwrite every element of out [N, C, H, W] with the normalized x [N, C, H, W]."""
        ...
