# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The model names that a study takes, and whether their weights are on this machine."""

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import NamedTuple

from visionbias.errors import CheckpointError
from visionbias.models import study, torchvision
from visionbias.models.hub import State, torch_hub_file
from visionbias.models.timm import cached_weights


class ListedModel(NamedTuple):
    """A name that a study takes."""

    name: str
    category: str  # of a model of the CVPR 2024 study: the kind of its training; else empty
    state: State


def list_models(pattern: str) -> list[ListedModel]:
    """Names with published weights that match a shell pattern, sorted, with the state of their weights.

    Raises:
        CheckpointError: no name matches.
    """
    found = sorted(_all_models(pattern))
    if not found:
        wider = next((w for w in (f"{pattern}*", f"*{pattern}*") if any(_all_models(w))), "*resnet*")
        raise CheckpointError(
            f"no model name matches {pattern!r}; names look like timm:resnet50.a1_in1k; try {wider!r}"
        )
    return found


def _all_models(pattern: str) -> Iterator[ListedModel]:
    import timm
    from torchvision import models as torchvision_models

    for name in timm.list_models(pretrained=True):
        if fnmatch(f"timm:{name}", pattern) and timm.get_pretrained_cfg(name) is not None:
            yield ListedModel(f"timm:{name}", "", _zoo_state(f"timm:{name}"))
    for name in torchvision_models.list_models(module=torchvision_models):
        if fnmatch(f"torchvision:{name}", pattern):
            yield ListedModel(f"torchvision:{name}", "", _zoo_state(f"torchvision:{name}"))
    for name, model in study.MODELS.items():
        if fnmatch(f"study:{name}", pattern):
            yield ListedModel(f"study:{name}", model.category, weights_state(f"study:{name}"))


def weights_state(name: str) -> State:
    """Whether the weights of a published model, such as "timm:resnet50.a1_in1k", are on this machine.

    Raises:
        CheckpointError: there is no such model of the study or of torchvision.
    """
    family, _, own = name.partition(":")
    if family != "study":
        return _zoo_state(name)
    model = study.study_model(own)
    return _zoo_state(model.source) if model.layout == "zoo" and model.source else study.state_of(model)


def _zoo_state(name: str) -> State:
    family, _, arch = name.partition(":")
    if family == "timm":
        import timm

        config = timm.get_pretrained_cfg(arch)
        weights = None if config is None else cached_weights(config)
    else:
        weights = torch_hub_file(torchvision.weights(arch).url)
    return "needs download" if weights is None else "cached"
