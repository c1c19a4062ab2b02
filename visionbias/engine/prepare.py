# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings models, labels and crops together before anything is forwarded, so that what cannot work fails here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from visionbias.datasets.label_map import IMAGENET_CLASSES, LabelMap, categories16_of
from visionbias.decode.drift import Drift, joined
from visionbias.decode.room import Shortage
from visionbias.engine.arms import Arm
from visionbias.engine.batches import batch_sizes, batch_that_fits, held_stimuli
from visionbias.engine.checks import (
    checked_label_maps,
    for_each,
    has_categories16,
    preprocessing_of,
    require_default_dtype,
)
from visionbias.engine.decoded import Decoded, decode_set
from visionbias.engine.decoder import begun_with, check_gpu_decoder, gpu_of, settled
from visionbias.engine.host_models import host_bytes
from visionbias.engine.identity import identity_of, identity_of_model, identity_of_set, identity_of_view
from visionbias.engine.inputs import (
    pick_device,
    shared_preprocessing,
    usable,
)
from visionbias.engine.precision import dtype_name
from visionbias.engine.residents import Residents, budget_bytes
from visionbias.engine.trial import try_attacks
from visionbias.errors import CheckpointError, DataError
from visionbias.models.model import ModelInfo
from visionbias.types import BadSample, Normalization, Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.precision import Chosen
    from visionbias.engine.study import Study


@dataclass(frozen=True)
class ModelGroup:
    """Models that see the same pixels: decoded once, each condition synthesized once for all of them."""

    models: tuple[ModelInfo, ...]
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

    def decides16(self, model: ModelInfo) -> bool:
        """Whether a model's decisions among the 16 categories are recorded: not where a label map was given instead."""
        return model.num_classes == IMAGENET_CLASSES and has_categories16(self.arm.data)

    @property
    def drift(self) -> Drift | None:
        """How far the crops of all groups are from Pillow's, where the decoder has no bound."""
        return joined({group.preprocessing: group.decoded.drift for group in self.groups}.values())

    @property
    def shortages(self) -> tuple[Shortage, ...]:
        """Of room in the cache: the crops of this set that are decoded whenever a group reads them."""
        decoded = {group.preprocessing: group.decoded for group in self.groups}
        return tuple(shortage for each in decoded.values() for shortage in each.shortages)

    def group_of(self, model: ModelInfo) -> ModelGroup:
        """The group that a model is in."""
        return next(group for group in self.groups if model in group.models)

    def describe(self) -> dict[str, Any]:
        """What the manifest says of the arm."""
        described = {
            "n": len(self.sample_ids),
            "root": str(self.arm.data.root),
            "classes": list(self.arm.data.classes),
            "conditions": list(self.arm.conditions),
            "bad_samples": [{"id": sample.id, "reason": sample.reason} for sample in self.bad],
        }
        return described if self.drift is None else described | {"drift": asdict(self.drift)}

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
            **({"accepted": [data.accepted[row] for row in self.rows]} if data.accepted else {}),
        }


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs, loaded and checked."""

    device: torch.device
    batch_size: int
    forward_batch: int
    models: tuple[ModelInfo, ...]
    residents: Residents  # the models' weights
    arms: tuple[PreparedArm, ...]

    @property
    def stimuli(self) -> int:
        """How many are the same for all models, each of which sees them."""
        return sum(len(arm.sample_ids) * len(arm.arm.common_conditions) for arm in self.arms)

    def identity(self, study: "Study", chosen: Mapping[str, "Chosen"]) -> dict[str, Any]:
        """What a run folder must match to be resumed."""
        return identity_of(
            study,
            self.device.type,
            self.forward_batch,
            {prepared.arm.data.name: _identity_of_set(prepared) for prepared in self.arms},
            {model.id: _identity_of_model(model, chosen[model.id]) for model in self.models},
        )


def prepare(study: "Study", folder: Path, found: Mapping[str, Any] | None, progress: bool | None) -> Prepared:
    """Load models, check labels and conditions, decode, in that order.

    `found` is the study of the manifest that the run folder holds, if any.

    Raises:
        BackendError, CheckpointError, DataError, RunError: see `Study.run`.
        NoMemoryError: a batch does not fit in memory, and may not be made smaller.
    """
    require_default_dtype()
    device = pick_device(study.device)
    check_gpu_decoder(study, found, device)
    batch_size, forward_batch = batch_sizes(study, device.type, found)
    budgets = budget_bytes(study, device), host_bytes(device)
    try_models = partial(_checked_models, study, budgets, device, _held_dtype(found))
    (residents, models, label_maps), forward_batch = batch_that_fits(try_models, study, found, forward_batch)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what the trial took, for a decoder that works there
    arms = tuple(
        _prepare_arm(study, folder, found, arm, models, maps, gpu_of(device), progress)
        for arm, maps in zip(study.arms, label_maps, strict=True)
    )
    return Prepared(device, batch_size, forward_batch, tuple(models), residents, arms)


def _checked_models(
    study: "Study", budgets: tuple[int, int], device: torch.device, held: torch.dtype, batch: int
) -> tuple[Residents, list[ModelInfo], list[dict[str, LabelMap]]]:
    """The models of a study, what is known of them, and by arm the map of each; all have been tried on a batch.

    Raises:
        CheckpointError: some cannot be loaded or attacked; all are named.
        DataError: see `checked_label_maps`.
        NoMemoryError, torch.OutOfMemoryError: the batch is too large.
    """
    residents = Residents.of(study, budgets, device, batch)
    shared = shared_preprocessing(study)

    def load(name: str) -> ModelInfo:
        info = residents.model(name).info
        _ = shared or info.preprocessing  # refused where it cannot be expressed
        return info

    models = for_each(study.model_ids, study.model_ids, load, CheckpointError)
    label_maps = checked_label_maps(study, models, device)
    _try_batch(study, residents, models, label_maps, device, held, batch)
    return residents, models, label_maps


def _held_dtype(found: Mapping[str, Any] | None) -> torch.dtype:
    """Of the stimuli that a run holds: of one that was begun as it was, of a new one the largest that may be chosen."""
    begun = {} if found is None else found["models"]
    names = {model.get("precision", dtype_name(torch.float32)) for model in begun.values()}
    return getattr(torch, names.pop()) if len(names) == 1 else torch.float32


def _try_batch(
    study: "Study",
    residents: Residents,
    models: Sequence[ModelInfo],
    label_maps: Sequence[Mapping[str, LabelMap]],  # by arm
    device: torch.device,
    dtype: torch.dtype,  # of what is held
    batch: int,
) -> None:
    """Hold the stimuli that `Loop` will hold at once; beside them, on a GPU, show each model a batch, and attack it.

    Raises:
        CheckpointError: some models fail or cannot be attacked; all are named.
        NoMemoryError, torch.OutOfMemoryError: the batch is too large.
    """
    crops = {model.id: (shared_preprocessing(study) or model.preprocessing).crop for model in models}
    held = held_stimuli(study, max(crops.values()), dtype, batch, device)
    if device.type == "cuda":
        for name, side in crops.items():
            residents.forward(name, torch.float32, False)(held[0][0, :, :, :side, :side])
    for arm, maps in zip(study.arms, label_maps, strict=True):

        def attacked(model: ModelInfo, arm: Arm = arm, maps: Mapping[str, LabelMap] = maps) -> None:
            try_attacks(arm, residents.model(model.id), maps[model.id], crops[model.id], device, batch)

        if arm.attacks:
            for_each(models, study.model_ids, attacked, CheckpointError)


def _prepare_arm(
    study: "Study",
    folder: Path,
    found: Mapping[str, Any] | None,
    arm: Arm,
    models: Sequence[ModelInfo],
    label_maps: dict[str, LabelMap],
    gpu: int,
    progress: bool | None,
) -> PreparedArm:
    decoded = {}
    for wanted in dict.fromkeys(preprocessing_of(study, arm.data, model) for model in models):
        decode = settled(study.decode, begun_with(found, arm.data.name, wanted), folder)
        decoded[wanted] = decode_set(
            arm.data,
            wanted,
            decode=decode,
            folder=study.cache,
            cache_bytes=study.cache_bytes,
            gpu=gpu,
            progress=progress,
        )
    if len({crops.sha256 for crops in decoded.values()}) > 1:
        raise DataError(
            f"{arm.data.name}: wanted the same images for every preprocessing, but some changed while they were read; "
            "start again when nothing writes to them any more"
        )
    rows, bad = usable(arm.data, (sample for d in decoded.values() for sample in d.bad), study.max_bad)
    samples = [arm.data.samples[row] for row in rows]
    by_pixels: dict[tuple[Preprocessing, Normalization], list[ModelInfo]] = defaultdict(list)
    for model in models:
        by_pixels[preprocessing_of(study, arm.data, model), model.normalization].append(model)
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


def _identity_of_model(model: ModelInfo, chosen: "Chosen") -> dict[str, Any]:
    return identity_of_model(
        source=model.source,
        weights_sha256=model.weights_sha256,
        num_classes=model.num_classes,
        mean=list(model.normalization.mean),
        std=list(model.normalization.std),
        precision=dtype_name(chosen.dtype),
        compiled=chosen.compiled,
    )


def _identity_of_set(prepared: PreparedArm) -> dict[str, Any]:
    views = {
        model.id: identity_of_view(group.preprocessing.as_dict(), group.decoded.decoder, prepared.label_maps[model.id])
        for group in prepared.groups
        for model in group.models
    }
    content = list(prepared.groups[0].decoded.sha256)
    return identity_of_set(prepared.arm.data, content, [sample.id for sample in prepared.bad], views)
