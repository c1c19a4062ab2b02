# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a plan and a run both refuse before images are decoded."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import IMAGENET_CLASSES, LabelMap, categories16_of, resolve_label_map
from visionbias.engine.inputs import crop_rule, shared_preprocessing
from visionbias.engine.trial import try_stimuli
from visionbias.errors import DataError, RunError, VisionBiasError
from visionbias.models.model import ModelInfo
from visionbias.types import Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study

E = TypeVar("E")
R = TypeVar("R")


def for_each(items: Iterable[E], names: Iterable[str], make: Callable[[E], R], kind: type[VisionBiasError]) -> list[R]:
    """What `make` returns for each of the models.

    Raises:
        VisionBiasError: of the given kind, if it does so for one model or more; all of them are named.
    """
    made: list[R] = []
    failed: dict[str, VisionBiasError] = {}
    for name, item in zip(names, items, strict=True):
        try:
            made.append(make(item))
        except kind as error:
            failed[name] = error
    if len(failed) > 1:
        listed = "\n".join(f"  {name}: {error}" for name, error in failed.items())
        raise kind(
            f"{len(failed)} of {len(failed) + len(made)} models cannot be used; mend them or leave them out:\n{listed}"
        )
    if failed:
        raise next(iter(failed.values()))
    return made


def require_default_dtype() -> None:
    """Models are built in torch's default type, and so are tensors that they make.

    Raises:
        RunError: it is not float32.
    """
    default = torch.get_default_dtype()
    if default != torch.float32:
        raise RunError(
            f"wanted float32 as the default type of torch, in which models are built, got {default}; "
            "call torch.set_default_dtype(torch.float32) before"
        )


def checked_label_maps(study: "Study", models: Sequence[ModelInfo], device: torch.device) -> list[dict[str, LabelMap]]:
    """The map of each model to the classes of each arm's images, by arm; every condition has been shown once.

    Raises:
        DataError: a map does not fit a model, or a condition cannot be made of crops of their size.
    """
    label_maps = [_label_maps(study, arm.data, models) for arm in study.arms]
    for arm in study.arms:
        for rule in dict.fromkeys(preprocessing_of(study, arm.data, model) for model in models):
            try_stimuli(arm, rule.crop, device)
    return label_maps


def preprocessing_of(study: "Study", data: Dataset, model: ModelInfo) -> Preprocessing:
    """The preprocessing of a data set for a model."""
    return crop_rule(data, shared_preprocessing(study) or model.preprocessing)


def has_categories16(data: Dataset) -> bool:
    """Whether classes of the data are among the 16 categories, which a label map that was given stands instead of."""
    return data.label_map is None and any(category is not None for category in categories16_of(data.classes))


def _label_maps(study: "Study", data: Dataset, models: Sequence[ModelInfo]) -> dict[str, LabelMap]:
    """The map of each model to the classes of a data set."""
    ids = [model.id for model in models]

    def resolve(model: ModelInfo) -> LabelMap:
        try:
            return resolve_label_map(data.classes, data.label_map, model.num_classes)
        except DataError as error:
            raise DataError(f"{data.name}: {error}") from error

    found = for_each(models, ids, resolve, DataError)
    maps = dict(zip(ids, found, strict=True))
    wanting = [
        probe
        for probe in study.probes
        if probe.reads_decision16 and any(shown.name == data.name for shown in probe.own_data or (study.data,))
    ]
    if wanting:
        foreign = [model.id for model in models if model.num_classes != IMAGENET_CLASSES]
        if foreign or not has_categories16(data):
            what = f"model {foreign[0]!r} has other classes" if foreign else f"{data.name} is labeled otherwise"
            raise DataError(
                f"probe {wanting[0].registered_as}: decisions among the 16 categories need models of ImageNet's 1000 "
                f"classes and data labeled by WordNet ids or by the categories, but {what}; "
                "decide among the data's classes"
            )
    return maps
