# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a backend must know of a sequence of normals."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Spec:
    """What tells one sequence of normals from another, but the samples."""

    seed: int
    stream: int
    n: int  # normals a sample
    device: torch.device


class Kernel(Protocol):
    """What a backend prepares."""

    def run(self, keys: NDArray[np.uint32]) -> Tensor:
        """Normals [N, n] float32 for keys [N, 2]."""
        ...
