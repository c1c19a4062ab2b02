# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Architectures and published weights of timm, by timm's names (`resnet50`, `resnet50.a1_in1k`)."""

import difflib
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from visionbias.errors import CheckpointError, first_line
from visionbias.models.hub import cached_hf_file, fetch_hf_file, not_available, torch_hub_file
from visionbias.models.model import DataConfig
from visionbias.types import Normalization, Preprocessing

_DEFAULT_FILE = "pytorch_model.bin"  # timm's name for weights whose configuration names no file


def build(name: str, num_classes: int | None = None) -> nn.Module:
    """An architecture with random weights, by default with the number of classes of its published weights.

    Raises:
        CheckpointError: timm has no such architecture or tag; names close to it are given.
    """
    import timm

    require_known(name)
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers do not depend on what we load
        module: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes)
    return module


def build_pretrained(name: str, *, offline: bool) -> nn.Module:
    """An architecture with its published weights, from the local cache if they are there, else downloaded.

    Raises:
        CheckpointError: unknown name, no published weights, no classifier, or the weights cannot be had.
    """
    import timm

    require_known(name)
    config = timm.get_pretrained_cfg(name)
    if config is None or not (config.hf_hub_id or config.url):
        raise CheckpointError(
            f"timm:{name}: timm publishes no weights for it; "
            f"use your own: Checkpoint('weights.safetensors', arch={name!r})"
        )
    try:
        path = cached_weights(config)
        if path is None and offline:
            raise not_available(f"timm:{name}", "offline=True forbids the download")
        if path is None and config.hf_hub_id:
            path = fetch_hf_file(config.hf_hub_id, config.hf_hub_filename or _DEFAULT_FILE)
        overlay = None if path is None else {"file": str(path)}
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except CheckpointError:
        raise
    except Exception as error:  # timm, the hub's client, urllib and the disk each raise their own
        raise not_available(f"timm:{name}", f"the download failed ({first_line(error)})") from error
    if num_classes(module) < 2:
        raise CheckpointError(
            f"timm:{name}: its published weights have no classifier, only features; choose another tag"
        )
    return module


def cached_weights(config: Any) -> Path | None:  # timm's PretrainedCfg
    """The file of published weights on this machine, if it is there."""
    if config.hf_hub_id:
        return cached_hf_file(config.hf_hub_id, config.hf_hub_filename or _DEFAULT_FILE)
    return torch_hub_file(config.url)


def num_classes(module: nn.Module) -> int:
    """The length of its logits; 0 where it has no classifier."""
    return int(module.num_classes)  # type: ignore[arg-type]


def classifier(module: nn.Module) -> str:
    """Name of the layer whose weight has a row a class; of several, the first."""
    names = module.pretrained_cfg.get("classifier") or ""  # type: ignore[operator, union-attr]
    return str(names if isinstance(names, str) else names[0])


def data_config(module: nn.Module) -> DataConfig:
    """Size, crop, interpolation, mean and standard deviation that timm evaluates this model with."""
    from timm.data.config import resolve_data_config

    # Not from the module: timm takes its truth, and modules that torch has compiled have none.
    config = resolve_data_config(pretrained_cfg=module.pretrained_cfg)  # type: ignore[no-untyped-call]
    _, height, width = config["input_size"]
    rule: Preprocessing | str
    if height != width:
        rule = f"takes {height} x {width} images, which are not square"
    elif config["crop_mode"] != "center":
        rule = f"has crop_mode {config['crop_mode']!r}, which changes the aspect ratio or pads"
    elif config["interpolation"] not in ("bilinear", "bicubic"):
        rule = f"has interpolation {config['interpolation']!r}"
    else:
        rule = Preprocessing(math.floor(height / config["crop_pct"]), height, config["interpolation"])
    return DataConfig(Normalization(tuple(config["mean"]), tuple(config["std"])), rule)


def require_known(name: str) -> None:
    """Check a name, with or without a tag.

    Raises:
        CheckpointError: it is unknown; names close to it are given.
    """
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=5)
        raise CheckpointError(f"timm:{name}: timm {timm.__version__} has no such architecture; {_suggest(close)}")
    if tag and name not in (known := timm.list_pretrained(f"{architecture}.*")):
        raise CheckpointError(f"timm:{name}: {architecture} has no tag {tag!r}; {_suggest(known[:8])}")


def _suggest(names: list[str]) -> str:
    return f"did you mean {', '.join(names)}?" if names else "timm.list_models('*part*') lists its names"
