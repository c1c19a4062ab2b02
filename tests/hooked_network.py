# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A network for the tests of interrupted runs."""

from collections.abc import Callable

import torch
from torch import nn

_TRIES = 2  # calls by which a run finds out what a module is


class Hooked(nn.Module):
    """A network that does something else before the `at`-th batch that a run shows it."""

    def __init__(self, network: nn.Module, at: int, hook: Callable[[], None]) -> None:
        super().__init__()
        self.network, self.at, self.hook, self.calls = network, at, hook, -_TRIES

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.at > 0:
            self.hook()
        return self.network(x)
