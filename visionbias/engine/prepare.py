# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings models, labels and crops together before anything is forwarded, so that what cannot work fails here."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import IMAGENET_CLASSES, LabelMap, categories16_of, resolve_label_map
from visionbias.engine.arms import Arm
from visionbias.engine.decoded import Decoded, decode_set
from visionbias.engine.identity import listing_of, settings_of
from visionbias.engine.inputs import batch_sizes, crop_rule, pick_device, shared_preprocessing, usable
from visionbias.errors import DataError
from visionbias.models.model import Model
from visionbias.models.resolve import resolve_model
from visionbias.types import BadSample, Normalization, Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study


@dataclass(frozen=True)
class ModelGroup:
    """Models that see the same pixels: decoded once, each condition synthesized once for all of them."""

    models: tuple[Model, ...]
    normalization: Normalization
    preprocessing: Preprocessing
    decoded: Decoded


@dataclass(frozen=True)
class PreparedArm:
    """An arm with everything that its part of a run needs."""

    arm: Arm
    groups: tuple[ModelGroup, ...]
    label_maps: dict[str, LabelMap]  # by model id
    categories16: tuple[int | None, ...]  # [K data] of the data's classes
    sample_ids: NDArray[np.object_]  # [N] of the usable samples, sorted
    labels: NDArray[np.int64]  # [N]
    rows: NDArray[np.int64]  # [N] row of each usable sample in the groups' images
    bad: tuple[BadSample, ...]

    def decides16(self, model: Model) -> bool:
        """Whether a model's decisions among the 16 categories are recorded: not where a label map was given instead."""
        return model.num_classes == IMAGENET_CLASSES and _has_categories16(self.arm.data)

    def describe(self) -> dict[str, Any]:
        """What the manifest says of the arm."""
        return {
            "n": len(self.sample_ids),
            "classes": list(self.arm.data.classes),
            "conditions": list(self.arm.conditions),
            "bad_samples": [{"id": sample.id, "reason": sample.reason} for sample in self.bad],
        }

    def sample_columns(self) -> dict[str, Any]:
        """The columns of the run's sample table."""
        data = self.arm.data
        textures = [data.classes[data.textures[row]] for row in self.rows] if data.textures else [None] * len(self.rows)
        return {
            "sample_id": self.sample_ids,
            "category": [data.classes[label] for label in self.labels],
            "texture": textures,
            "group": [data.groups[row] for row in self.rows] if data.groups else [None] * len(self.rows),
            "category16": [self.categories16[label] for label in self.labels],
        }


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs, loaded and checked."""

    device: torch.device
    batch_size: int
    forward_batch: int
    arms: tuple[PreparedArm, ...]
    identity: dict[str, Any]  # what a run folder must match to be resumed


def prepare(study: "Study", progress: bool | None) -> Prepared:
    """Load models, check labels, decode, in that order.

    Raises:
        BackendError, CheckpointError, DataError: see `Study.run`.
    """
    device = pick_device(study.device)
    batch_size, forward_batch = batch_sizes(study, device.type)
    shared = shared_preprocessing(study)
    crop = None if shared is None else shared.crop
    models = [
        resolve_model(entry, device=device, offline=study.offline, crop=crop, batch=forward_batch)
        for entry in study.models
    ]
    label_maps = [_label_maps(study, arm.data, models) for arm in study.arms]
    arms = tuple(
        _prepare_arm(study, arm, models, maps, progress) for arm, maps in zip(study.arms, label_maps, strict=True)
    )
    return Prepared(device, batch_size, forward_batch, arms, _identity(study, models, arms, device, forward_batch))


def _label_maps(study: "Study", data: Dataset, models: Sequence[Model]) -> dict[str, LabelMap]:
    """The map of each model to the classes of a data set."""
    maps = {model.id: resolve_label_map(data.classes, data.label_map, model.num_classes) for model in models}
    wanting = [probe for probe in study.probes if probe.reads_decision16 and (probe.own_data or study.data) is data]
    if wanting:
        foreign = [model.id for model in models if model.num_classes != IMAGENET_CLASSES]
        if foreign or not _has_categories16(data):
            what = f"model {foreign[0]!r} has other classes" if foreign else f"{data.name} is labeled otherwise"
            raise DataError(
                f"probe {wanting[0].registered_as}: decisions among the 16 categories need models of ImageNet's 1000 "
                f"classes and data labeled by WordNet ids or by the categories, but {what}; "
                "decide among the data's classes"
            )
    return maps


def _has_categories16(data: Dataset) -> bool:
    return data.label_map is None and any(category is not None for category in categories16_of(data.classes))


def _prepare_arm(
    study: "Study", arm: Arm, models: Sequence[Model], label_maps: dict[str, LabelMap], progress: bool | None
) -> PreparedArm:
    decoded = {
        wanted: decode_set(arm.data, wanted, decode=study.decode, folder=study.cache, progress=progress)
        for wanted in dict.fromkeys(_preprocessing(study, arm.data, model) for model in models)
    }
    if len({crops.sha256 for crops in decoded.values()}) > 1:
        raise DataError(
            f"{arm.data.name}: wanted the same images for every preprocessing, but some changed while they were read; "
            "start again when nothing writes to them any more"
        )
    rows, bad = usable(arm.data, (sample for d in decoded.values() for sample in d.bad), study.max_bad)
    samples = [arm.data.samples[row] for row in rows]
    by_pixels: dict[tuple[Preprocessing, Normalization], list[Model]] = defaultdict(list)
    for model in models:
        by_pixels[_preprocessing(study, arm.data, model), model.normalization].append(model)
    return PreparedArm(
        arm=arm,
        groups=tuple(
            ModelGroup(tuple(members), normalization, preprocessing, decoded[preprocessing])
            for (preprocessing, normalization), members in by_pixels.items()
        ),
        label_maps=label_maps,
        categories16=categories16_of(arm.data.classes),
        sample_ids=np.array([sample.id for sample in samples], dtype=object),
        labels=np.array([sample.label for sample in samples], dtype=np.int64),
        rows=np.array(rows, dtype=np.int64),
        bad=bad,
    )


def _preprocessing(study: "Study", data: Dataset, model: Model) -> Preprocessing:
    return crop_rule(data, shared_preprocessing(study) or model.preprocessing)


def _identity(
    study: "Study", models: Sequence[Model], arms: Sequence[PreparedArm], device: torch.device, forward_batch: int
) -> dict[str, Any]:
    return settings_of(study, device.type, forward_batch) | {
        "data": {prepared.arm.data.name: _described(prepared) for prepared in arms},
        "models": {
            model.id: {
                "source": model.source,
                "weights_sha256": model.weights_sha256,
                "num_classes": model.num_classes,
                "mean": list(model.normalization.mean),
                "std": list(model.normalization.std),
            }
            for model in models
        },
    }


def _described(prepared: PreparedArm) -> dict[str, Any]:
    """What a run folder must match of one data set: its images, its labels, and how each model sees them."""
    return listing_of(prepared.arm.data) | {
        "content_sha256": list(prepared.groups[0].decoded.sha256),
        "bad_samples": [sample.id for sample in prepared.bad],
        "models": {
            model.id: {
                "preprocessing": group.preprocessing.as_dict(),
                "decoder": group.decoded.decoder,
                "label_map": _fingerprint(prepared.label_maps[model.id]),
            }
            for group in prepared.groups
            for model in group.models
        },
    }


def _fingerprint(label_map: LabelMap) -> str:
    members = hashlib.sha256(repr((label_map.classes, label_map.members)).encode()).hexdigest()
    return f"{label_map.kind}, sha256 {members[:16]}"
