# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The model names that a study takes, and whether their weights are on this machine."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from visionbias.errors import CheckpointError

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
    import torch
    import torchvision

    for name in timm.list_models(pretrained=True):
        if fnmatch(f"timm:{name}", pattern):
            yield f"timm:{name}", _timm_state(name)
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    for name in torchvision.models.list_models(module=torchvision.models):
        if fnmatch(f"torchvision:{name}", pattern):
            url = torchvision.models.get_model_weights(name).DEFAULT.url
            yield (
                f"torchvision:{name}",
                "cached" if (checkpoints / url.rsplit("/", 1)[-1]).exists() else "needs download",
            )


def _timm_state(name: str) -> State:
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    repository = config and config.hf_hub_id
    files = ("model.safetensors", "pytorch_model.bin")
    cached = repository and any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
    return "cached" if cached else "needs download"
