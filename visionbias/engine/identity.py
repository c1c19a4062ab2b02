# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run folder must match, so that one table never mixes two studies."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import visionbias
from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import LabelMap, resolve_label_map
from visionbias.decode.choice import decoder_name
from visionbias.engine.batches import batch_sizes
from visionbias.engine.decoder import settled
from visionbias.engine.inputs import crop_rule, shared_preprocessing
from visionbias.models.resolve import source_of
from visionbias.records.manifest import UNREAD

if TYPE_CHECKING:
    from visionbias.engine.study import Study

Json = dict[str, Any]


def identity_of(study: "Study", device_type: str, forward_batch: int, sets: Json, models: Json) -> Json:
    """What a study's records depend on: its settings, and as below its data sets by name and its models by id."""
    return {
        "probes": [probe.config() for probe in study.probes],
        "device": device_type,
        "forward_batch": forward_batch,
        "seed": study.seed,
        # Another version may round otherwise, and one table must not mix both.
        "versions": {"visionbias": visionbias.__version__, "torch": version("torch")},
        "data": sets,
        "models": models,
    }


def identity_of_model(
    *, source: str, weights_sha256: Any, num_classes: Any, mean: Any, std: Any, precision: Any, compiled: Any
) -> Json:
    """A model in the identity of a study."""
    return {
        "source": source,
        "weights_sha256": weights_sha256,
        "num_classes": num_classes,
        "mean": mean,
        "std": std,
        "precision": precision,
        "compiled": compiled,
    }


def identity_of_set(data: Dataset, content_sha256: Any, bad_samples: Any, views: Json) -> Json:
    """A data set in the identity of a study, wherever it lies: as it was listed, and how each model sees it."""
    listed = {key: value for key, value in data.describe().items() if key != "root"}
    return listed | {"content_sha256": content_sha256, "bad_samples": bad_samples, "models": views}


def identity_of_view(preprocessing: Any, decoder: Any, label_map: LabelMap | object) -> Json:
    """How one model sees a data set."""
    if isinstance(label_map, LabelMap):
        members = hashlib.sha256(repr((label_map.classes, label_map.members)).encode()).hexdigest()
        label_map = f"{label_map.kind}, sha256 {members[:16]}"
    return {"preprocessing": preprocessing, "decoder": decoder, "label_map": label_map}


def identity_before_reading(study: "Study", device_type: str, found: Mapping[str, Any], folder: Path) -> Json:
    """The identity of a study as far as it shows before weights and images are read; the rest is `UNREAD`.

    What only the weights tell, a model's classes and its own preprocessing, is taken from the run folder: they are
    compared when the weights are.

    Raises:
        BackendError: the decoder is not available.
        DataError: a label map does not fit a model.
    """
    sets = {
        arm.data.name: identity_of_set(
            arm.data,
            UNREAD,
            UNREAD,
            {model: _view_before_reading(study, arm.data, model, found, folder) for model in study.model_ids},
        )
        for arm in study.arms
    }
    # Left to us, it is as the run was begun.
    precision, compiled = ("float32", False) if study.precision == "fp32" else (UNREAD, UNREAD)
    models = {
        model: identity_of_model(
            source=source_of(entry),
            weights_sha256=UNREAD,
            num_classes=UNREAD,
            mean=UNREAD,
            std=UNREAD,
            precision=precision,
            compiled=compiled,
        )
        for model, entry in zip(study.model_ids, study.models, strict=True)
    }
    return identity_of(study, device_type, batch_sizes(study, device_type, found)[1], sets, models)


def _view_before_reading(study: "Study", data: Dataset, model: str, found: Mapping[str, Any], folder: Path) -> Any:
    there = found["data"].get(data.name, {"models": {}})["models"].get(model)
    if there is None:
        return UNREAD
    shared = shared_preprocessing(study)
    rule = None if shared is None else crop_rule(data, shared).as_dict()
    begun = there.get("decoder") if rule in (None, there["preprocessing"]) else None
    kind = settled(study.decode, begun, folder)
    classes = found["models"].get(model, {}).get("num_classes")
    return identity_of_view(
        UNREAD if rule is None else rule,
        UNREAD if kind == "auto" else decoder_name(kind),
        resolve_label_map(data.classes, data.label_map, classes) if isinstance(classes, int) else UNREAD,
    )
