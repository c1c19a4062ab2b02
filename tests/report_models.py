# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Models for the tests of reports."""

from collections.abc import Callable

import torch
from benchmark_folders import CLASSES as IMAGENET_CLASSES
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

EVIL = "</script><img src=x onerror=\"document.title='broken'\"><b>&amp;%{x}"  # code where it is not escaped
NAMES = ("chromium", "chromium-browser", "google-chrome")  # of browsers
CLASSES = ("ape", "bee", "cow")


def network(seed: int) -> Callable[[Tensor], Tensor]:
    """A linear classifier of coarse pixels."""
    weights = torch.randn(3 * 16, len(CLASSES), generator=torch.Generator().manual_seed(seed))
    return lambda x: adaptive_avg_pool2d(x, 4).flatten(1) @ weights


def imagenet_network(seed: int) -> Callable[[Tensor], Tensor]:
    """The same with ImageNet's 1000 classes, of which it answers those that the small copies have."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(3 * 16, 1000)
    weights[:, list(IMAGENET_CLASSES)] = torch.randn(3 * 16, len(IMAGENET_CLASSES), generator=generator)
    bias = torch.zeros(1000)
    bias[list(IMAGENET_CLASSES)] = 100.0
    return lambda x: adaptive_avg_pool2d(x, 4).flatten(1) @ weights + bias
