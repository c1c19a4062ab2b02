# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Models for the tests of reports."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

EVIL = "</script><img src=x onerror=\"document.title='broken'\"><b>&amp;%{x}"  # code where it is not escaped
CLASSES = ("ape", "bee", "cow")


def network(seed: int) -> Callable[[Tensor], Tensor]:
    """A linear classifier of coarse pixels."""
    weights = torch.randn(3 * 16, len(CLASSES), generator=torch.Generator().manual_seed(seed))
    return lambda x: adaptive_avg_pool2d(x, 4).flatten(1) @ weights
