# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a backend must know of a spectrum_mix call to prepare it."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from visionbias.ops.output import Output


@dataclass(frozen=True, slots=True)
class Spec:
    """A call without its pixels and its noise. Hashable: it is the key of the kernel cache."""

    height: int
    width: int
    input: torch.dtype
    output: Output

    @property
    def image(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return len(self.output.mean), self.height, self.width


class Kernel(Protocol):
    """What a backend prepares. Each method overwrites `out`; may be called from several threads at once.

    Images and outputs are [N, C, H, W] unless a method says otherwise.
    """

    def phase_swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:
        """Phase of `shape`, amplitude of `texture`."""
        ...

    def phase_swap_both(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """Both ways, out [2, N, C, H, W]: the phase of a, then the phase of b."""
        ...

    def random_phase(self, x: Tensor, noise: Tensor, out: Tensor) -> None:
        """Float32 noise [N, C, H, W]."""
        ...

    def phase_noise(self, x: Tensor, uniforms: Tensor, width: float, out: Tensor) -> None:
        """Float32 uniform numbers [N, H, W // 2 + 1], width in degrees."""
        ...

    def power_equalize(self, x: Tensor, amplitude: Tensor, out: Tensor) -> None:
        """Amplitude [H, W // 2 + 1] or [C, H, W // 2 + 1]."""
        ...
