# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Batch norm is folded where it follows a convolution and nothing else does, and nowhere else."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
import torch
from random_networks import ARCHITECTURES, build
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from visionbias.models.folding import folded

# Batch norms that follow no convolution: before each first convolution of DenseNet's layers, in its transitions, last.
NORMS_THAT_STAY = {"test_resnet": 0, "test_efficientnet": 0, "mobilenetv3_small_100": 0, "densenet121": 58 + 3 + 1}


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Two convolutions and two batch norms with statistics, and what is done with them."""

    def __init__(self, use: Callable[["Net", Tensor], Tensor]) -> None:
        super().__init__()
        self.use = use
        self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        for norm in (self.norm, self.other):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x).mean((2, 3))


def norms_in(module: nn.Module | None) -> int:
    assert module is not None
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())


@pytest.mark.parametrize("arch", ARCHITECTURES | NORMS_THAT_STAY)
@torch.inference_mode()
def test_folding_changes_nothing_but_rounding(arch: str, images: Tensor) -> None:
    module = build(arch)
    before = module(images)
    copy = folded(module, images[:1])
    assert copy is not None
    torch.testing.assert_close(copy(images), before, rtol=1e-4, atol=1e-5 * float(before.abs().max()))
    assert torch.equal(module(images), before)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in copy.modules())


@pytest.mark.parametrize("arch", NORMS_THAT_STAY)
def test_batch_norms_behind_convolutions_are_gone(arch: str, images: Tensor) -> None:
    assert norms_in(folded(build(arch), images[:1])) == NORMS_THAT_STAY[arch]


@pytest.mark.parametrize(
    ("use", "stay"),
    [
        (lambda net, x: net.norm(net.first(x)), 1),
        (lambda net, x: net.norm(input=net.first(x)), 2),
        (lambda net, x: net.other(net.second(net.norm(net.first(x)))), 0),
        (lambda net, x: net.norm(y := net.first(x)) + y, 2),
        (lambda net, x: net.norm(net.first(x).relu_()), 2),
        (lambda net, x: (y := net.first(x)).mul_(2) * 0 + net.norm(y), 2),
        (lambda net, x: net.norm(y := net.first(x)) + net.other(y), 2),
        (lambda net, x: net.norm(y := net.first(x)) + net.second(y), 2),
        (lambda net, x: net.norm(net.first(x)) + net.norm(net.second(x)), 2),
        (lambda net, x: net.norm(net.first(x)) + net.other(net.first(x)), 2),
        (lambda net, x: net.norm(net.first(x)) * net.first.weight.mean(), 2),
        (lambda net, x: net.norm(net.first(x)) * net.norm.running_var.mean(), 2),
        (lambda net, x: net.norm(torch.conv2d(x, net.first.weight, net.first.bias, padding=1)), 2),
        (lambda net, x: net.norm(net.first(x)) if x.shape[0] else x, 1),
    ],
    ids=[
        *("one", "by name", "both", "and a branch", "in place", "the same tensor", "two norms", "a convolution"),
        *("one norm twice", "one convolution twice", "its weight", "its statistics", "a function", "by shape"),
    ],
)
@torch.inference_mode()
def test_only_what_nothing_else_takes_is_folded(
    use: Callable[[Net, Tensor], Tensor], stay: int, images: Tensor
) -> None:
    module = Net(use)
    copy = folded(module, images[:1])
    assert norms_in(copy) == stay
    torch.testing.assert_close(copy(images), module(images), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_layer_of_two_names_is_folded_under_both(images: Tensor) -> None:
    module = Net(lambda net, x: net.norm(net.same(x)))
    module.same = module.first
    copy = folded(module, images[:1])
    assert norms_in(copy) == 1
    assert copy.first is copy.same
    torch.testing.assert_close(copy(images), module(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"act_layer": nn.PReLU, "drop_layer": nn.Dropout, "eps": 0.5},
        {"affine": False},
        {"apply_act": False},
        {"track_running_stats": False},
    ],
    ids=["all parts", "no weights", "no activation", "no statistics"],
)
@torch.inference_mode()
def test_batch_norms_with_an_activation_keep_their_parts(options: dict[str, Any], images: Tensor) -> None:
    norm = BatchNormAct2d(4, **options)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), norm)
    module(images)  # statistics
    wanted = module.eval()(images)
    copy = folded(module, images[:1])
    assert copy is not None
    torch.testing.assert_close(copy(images), wanted)
    assert module[1] is norm


def hooked() -> nn.Module:
    module = build("test_resnet")
    module.conv1.register_forward_hook(lambda layer, inputs, output: output * 2)
    return module


@pytest.mark.parametrize(
    "module",
    [
        Net(lambda net, x: net.norm(net.first(x)) if x.sum() > 0 else net.first(x)),
        Net(lambda net, x: net.norm(net.first(x)) if x.sum().item() > 0 else net.first(x)),
        Net(lambda net, x: net.norm(net.first(x)) if torch.equal(x, x + 1) else net.first(x)),
        Net(lambda net, x: net.norm(net.first(x.view(4, 3, 32, 32)))),
        hooked(),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)),
    ],
    ids=["by a tensor", "by a number", "by comparison", "one batch size", "hooks", "parametrizations"],
)
def test_what_cannot_be_folded_is_left_alone(module: nn.Module, images: Tensor) -> None:
    assert folded(module, images[:1]) is None


def test_layers_that_say_they_train_are_folded_by_what_they_do(images: Tensor) -> None:
    """Flags of training, of a convolution and of a batch norm, that `eval` does not reach."""
    module = Net(lambda net, x: net.other(net.second(net.norm(net.first(x)))))
    module.first.train()
    module.other.train()
    module.other.momentum = 0.0
    made = folded(module, images[:1])
    assert norms_in(made) == 1
    assert made is not None
    torch.testing.assert_close(made(images), module(images))


def test_models_of_other_threads_are_not_seen(images: Tensor) -> None:
    """Neither do they fail, as they would if `nn.Module.__call__` were replaced."""
    other, stop = Net(lambda net, x: net.norm(net.first(x)) + net.first(x)), Event()
    failures: list[BaseException] = []

    def call() -> None:
        while not stop.is_set():
            try:
                other(images)
            except BaseException as error:
                failures.append(error)
                return

    thread = Thread(target=call)
    thread.start()
    try:
        module = build("test_efficientnet")
        assert [norms_in(folded(module, images[:1])) for _ in range(5)] == [0] * 5
    finally:
        stop.set()
        thread.join()
    assert failures == []
