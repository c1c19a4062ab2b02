# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Input and output of the ops that are timed, laid out as the engine lays them out."""

import torch
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images_at_once(device: str) -> int:
    """The conditions of 32 images are larger than most last-level caches; 256 fill a GPU."""
    return 32 if device == "cpu" else 256


def crops(n: int, size: int) -> Tensor:
    """Random u8 crops [N, 3, H, W], stored as H, W, C."""
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def poisoned(lead: tuple[int, ...], size: int, dtype: torch.dtype, device: str) -> Tensor:
    """NaN [*lead, 3, H, W], each image stored as H, W, C."""
    return torch.full((*lead, size, size, 3), torch.nan, dtype=dtype, device=device).movedim(-1, -3)


def constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, [3, 1, 1] each."""
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, STD))
    return mean, std
