# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The model names that a study takes, and whether their weights are on this machine."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from visionbias.errors import CheckpointError
from visionbias.models.hub import torch_hub_file
from visionbias.models.timm import cached_weights

State = Literal["cached", "needs download"]


def list_models(pattern: str) -> list[tuple[str, State]]:
    """Names with published weights that match a shell pattern, sorted, with the state of their weights.

    Raises:
        CheckpointError: no name matches.
    """
    found = sorted((name, state) for name, state in _all_models(pattern))
    if not found:
        raise CheckpointError(
            f"no model name matches {pattern!r}; names look like timm:resnet50.a1_in1k; try '*resnet*'"
        )
    return found


def _all_models(pattern: str) -> Iterator[tuple[str, State]]:
    import timm
    from torchvision import models as torchvision_models

    for name in timm.list_models(pretrained=True):
        config = timm.get_pretrained_cfg(name)
        if config is not None and fnmatch(f"timm:{name}", pattern):
            yield f"timm:{name}", _state(cached_weights(config))
    for name in torchvision_models.list_models(module=torchvision_models):
        if fnmatch(f"torchvision:{name}", pattern):
            yield f"torchvision:{name}", _state(torch_hub_file(torchvision_models.get_model_weights(name).DEFAULT.url))


def _state(weights: Path | None) -> State:
    return "needs download" if weights is None else "cached"
