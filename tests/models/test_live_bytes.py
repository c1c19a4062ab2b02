# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The memory that a call takes is that of the tensors which are there at once."""

import torch
from torch import nn

from visionbias.models.live_bytes import LiveBytes

KIB = 1024


def test_only_what_is_there_at_once_counts() -> None:
    x = torch.zeros(256)  # 1 KiB
    live = LiveBytes()
    with live:
        y = x + 1
        del y
        y = torch.cat([x, x])
        z = y * 2
        assert live.now == 4 * KIB
        del y
        assert live.now == 2 * KIB
    assert live.most == 4 * KIB
    del z
    assert live.now == 0


def test_views_and_what_was_there_before_take_nothing() -> None:
    x = torch.zeros(256)
    live = LiveBytes()
    with live, torch.inference_mode():
        x.view(16, 16)[2:].add_(1)
        assert live.most == 0
        whole = (x + 1).view(2, 128)
        part = whole[0]
        del whole
        assert live.now == KIB
        assert len(part) == 128


def test_what_a_gradient_needs_is_kept_until_it_is_there() -> None:
    chain = nn.Sequential(*[nn.Sigmoid() for _ in range(5)])
    x = torch.zeros(256, requires_grad=True)
    live = LiveBytes()
    with live, torch.no_grad():
        chain(x)
    assert live.most == 2 * KIB  # what goes in and what comes out
    live = LiveBytes()
    with live:
        chain(x).sum().backward()
    assert live.most > 5 * KIB
