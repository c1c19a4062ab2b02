# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a backend must know of a filter_bank call to prepare it."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from visionbias.ops.filter_bank.bands import Band
from visionbias.ops.tensors import Channels


@dataclass(frozen=True, slots=True)
class Spec:
    """A filter_bank call without its pixels. Hashable: it is the key of the plan cache."""

    bands: tuple[Band, ...]  # F
    height: int
    width: int
    mean: Channels  # [C]
    std: Channels  # [C]
    input: torch.dtype
    dtype: torch.dtype
    device: torch.device

    @property
    def image(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return len(self.mean), self.height, self.width


class Kernel(Protocol):
    """What a backend prepares. May be called from several threads at once."""

    def run(self, x: Tensor, out: Tensor) -> None:
        """Overwrite every element of out [F, N, C, H, W] with the filtered x [N, C, H, W]."""
        ...
