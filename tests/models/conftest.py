# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Small networks with seeded weights, and a network that is not there."""

import socket
from collections.abc import Callable, Iterator

import pytest
import timm
import torch
from torch import Tensor, nn

Weights = Callable[..., dict[str, Tensor]]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny networks are many times slower when threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def weights() -> Weights:
    """Weights of timm's smallest ResNet from a seed."""

    def make(seed: int = 0, num_classes: int = 16, arch: str = "test_resnet") -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module: nn.Module = timm.create_model(arch, pretrained=False, num_classes=num_classes)
        return module.state_dict()

    return make


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Cuts the network off; the list holds the hosts that were looked up."""
    asked: list[object] = []

    def refuse(host: object, *args: object, **kwargs: object) -> None:
        asked.append(host)
        raise socket.gaierror("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked
