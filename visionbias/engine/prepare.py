# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings models, labels and crops together before anything is forwarded, so that what cannot work fails here."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from visionbias.datasets.label_map import LabelMap, resolve_label_map
from visionbias.decode.cache import Crops, open_crops
from visionbias.engine.inputs import batch_sizes, crop_rule, pick_device, shared_preprocessing, usable
from visionbias.models.model import Model
from visionbias.models.resolve import resolve_model
from visionbias.probes.registry import probe_config
from visionbias.types import BadSample, Normalization, Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study


@dataclass(frozen=True)
class ModelGroup:
    """Models that see the same pixels: decoded once, each condition synthesized once for all of them."""

    models: tuple[Model, ...]
    normalization: Normalization
    preprocessing: Preprocessing
    images: NDArray[np.uint8]  # [N all, S, S, 3]


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs, loaded and checked."""

    device: torch.device
    batch_size: int
    forward_batch: int
    groups: tuple[ModelGroup, ...]
    label_maps: dict[str, LabelMap]  # by model id
    sample_ids: NDArray[np.object_]  # [N] of the usable samples, sorted
    labels: NDArray[np.int64]  # [N]
    rows: NDArray[np.int64]  # [N] row of each usable sample in the groups' images
    bad: tuple[BadSample, ...]
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
    label_maps = {
        model.id: resolve_label_map(study.data.classes, study.data.label_map, model.num_classes) for model in models
    }
    crops = {
        wanted: open_crops(study.data.samples, wanted, decode=study.decode, folder=study.cache, progress=progress)
        for wanted in dict.fromkeys(_preprocessing(study, model) for model in models)
    }
    rows, bad = usable(study.data, (sample for c in crops.values() for sample in c.bad), study.max_bad)
    samples = [study.data.samples[row] for row in rows]
    by_pixels: dict[tuple[Preprocessing, Normalization], list[Model]] = defaultdict(list)
    for model in models:
        by_pixels[_preprocessing(study, model), model.normalization].append(model)
    return Prepared(
        device=device,
        batch_size=batch_size,
        forward_batch=forward_batch,
        groups=tuple(
            ModelGroup(tuple(members), normalization, preprocessing, crops[preprocessing].images)
            for (preprocessing, normalization), members in by_pixels.items()
        ),
        label_maps=label_maps,
        sample_ids=np.array([sample.id for sample in samples], dtype=object),
        labels=np.array([sample.label for sample in samples], dtype=np.int64),
        rows=np.array(rows, dtype=np.int64),
        bad=bad,
        identity=_identity(study, models, label_maps, crops, bad, device, forward_batch),
    )


def _preprocessing(study: "Study", model: Model) -> Preprocessing:
    return crop_rule(study.data, shared_preprocessing(study) or model.preprocessing)


def _identity(
    study: "Study",
    models: list[Model],
    label_maps: dict[str, LabelMap],
    crops: dict[Preprocessing, Crops],
    bad: tuple[BadSample, ...],
    device: torch.device,
    forward_batch: int,
) -> dict[str, Any]:
    described = study.data.describe()
    return {
        "data": {key: value for key, value in described.items() if key != "root"}
        | {"content_sha256": next(iter(crops.values())).sha256},
        "bad_samples": [sample.id for sample in bad],
        "models": {
            model.id: {
                "source": model.source,
                "weights_sha256": model.weights_sha256,
                "num_classes": model.num_classes,
                "mean": list(model.normalization.mean),
                "std": list(model.normalization.std),
                "preprocessing": _preprocessing(study, model).as_dict(),
                "decoder": crops[_preprocessing(study, model)].decoder,
                "label_map": _fingerprint(label_maps[model.id]),
            }
            for model in models
        },
        "probes": [probe_config(probe) for probe in study.probes],
        "precision": "fp32",
        "device": device.type,
        "forward_batch": forward_batch,
        "seed": study.seed,
    }


def _fingerprint(label_map: LabelMap) -> str:
    members = hashlib.sha256(repr((label_map.classes, label_map.members)).encode()).hexdigest()
    return f"{label_map.kind}, sha256 {members[:16]}"
