# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a backend must know of a critical_band call to prepare it."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from visionbias.ops.band_noise.fields import Noise
from visionbias.ops.output import Output


@dataclass(frozen=True, slots=True)
class Spec:
    """A critical_band call without its pixels and its noise. Hashable: it is the key of the kernel cache."""

    bands: tuple[int, ...]  # B
    noise_sds: tuple[float, ...]  # S
    height: int
    width: int
    contrast: float
    luminance: float
    input: torch.dtype
    output: Output


class Kernel(Protocol):
    """What a backend prepares. May be called from several threads at once."""

    def bands(self, noise: Noise, out: Tensor) -> None:
        """Overwrite out [B, N, H, W] with unit noise of each band."""
        ...

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """Overwrite out [S, B, N, 3, H, W] with x [N, C, H, W] in noise."""
        ...
