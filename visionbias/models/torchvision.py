# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Architectures and published weights of torchvision (`resnet50`; `resnet50.IMAGENET1K_V1` names the weights)."""

import difflib
from typing import Any

import torch
from torch import nn

from visionbias.errors import CheckpointError
from visionbias.models.hub import not_available, torch_hub_file
from visionbias.models.model import DataConfig
from visionbias.types import Normalization, Preprocessing


def build(name: str, num_classes: int | None = None) -> nn.Module:
    """An architecture with random weights, by default with 1000 classes.

    Raises:
        CheckpointError: torchvision has no such classifier; names close to it are given.
    """
    weights(name)
    options = {} if num_classes is None else {"num_classes": num_classes}
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers do not depend on what we load
        module: nn.Module = _models().get_model(name.partition(".")[0], weights=None, **options)
    return module


def build_pretrained(name: str, *, offline: bool) -> nn.Module:
    """An architecture with its published weights, from the local cache if they are there, else downloaded.

    Raises:
        CheckpointError: unknown name, or the weights cannot be had.
    """
    chosen = weights(name)
    if offline and torch_hub_file(chosen.url) is None:
        raise not_available(f"torchvision:{name}", "offline=True forbids the download")
    try:
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = _models().get_model(name.partition(".")[0], weights=chosen)
    except Exception as error:  # urllib, the hash check and the disk each raise their own
        raise not_available(f"torchvision:{name}", f"the download failed ({error})") from error
    return module


def weights(name: str) -> Any:  # torchvision's WeightsEnum member
    """The published weights that a name means; without a tag, torchvision's default ones.

    Raises:
        CheckpointError: see `build`.
    """
    models = _models()
    architecture, _, tag = name.partition(".")
    known = models.list_models(module=models)
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=5)
        hint = f"did you mean {', '.join(close)}?" if close else f"it has {', '.join(known)}"
        raise CheckpointError(f"torchvision:{name}: torchvision has no such classifier; {hint}")
    published = models.get_model_weights(architecture)
    if tag and tag not in published.__members__:
        raise CheckpointError(
            f"torchvision:{name}: {architecture} has no weights {tag!r}; it has {', '.join(published.__members__)}"
        )
    return published[tag] if tag else published.DEFAULT


def num_classes(module: nn.Module) -> int:
    """The length of its logits."""
    return len(module.get_parameter(f"{classifier(module)}.weight"))


def classifier(module: nn.Module) -> str:
    """Name of the layer whose weight has a row a class: the last linear one, in SqueezeNet the last convolution."""
    layers: list[tuple[str, nn.Module]] = list(module.named_modules())
    linear = [name for name, layer in layers if isinstance(layer, nn.Linear)]
    return linear[-1] if linear else [name for name, layer in layers if isinstance(layer, nn.Conv2d)][-1]


def data_config(name: str) -> DataConfig:
    """The evaluation transform of the published weights."""
    preset = weights(name).transforms()
    rule = Preprocessing(preset.resize_size[0], preset.crop_size[0], preset.interpolation.value)
    return DataConfig(Normalization(tuple(preset.mean), tuple(preset.std)), rule)


def _models() -> Any:
    import torchvision.models  # type: ignore[import-untyped, unused-ignore]

    return torchvision.models
