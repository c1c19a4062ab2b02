# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run folder must match, so that one table never mixes two studies."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import visionbias
from visionbias.datasets.base import Dataset
from visionbias.engine.run import require_same

if TYPE_CHECKING:
    from pathlib import Path

    from visionbias.engine.study import Study


def settings_of(study: "Study", device_type: str, forward_batch: int) -> dict[str, Any]:
    """What a study's records depend on besides its models and images."""
    return {
        "probes": [probe.config() for probe in study.probes],
        "precision": "fp32",
        "device": device_type,
        "forward_batch": forward_batch,
        "seed": study.seed,
        # Another version may round otherwise, and one table must not mix both.
        "versions": {"visionbias": visionbias.__version__, "torch": version("torch")},
    }


def listing_of(data: Dataset) -> dict[str, Any]:
    """A data set as it was listed, wherever it lies."""
    return {key: value for key, value in data.describe().items() if key != "root"}


def require_same_listing(
    folder: "Path", study: "Study", found: Mapping[str, Any], device_type: str, forward_batch: int
) -> None:
    """Demand of a run folder what can be told before any model or image is loaded.

    Raises:
        RunError: the folder is of another study; says in what they differ.
    """
    settings = settings_of(study, device_type, forward_batch)
    listings = {arm.data.name: listing_of(arm.data) for arm in study.arms}
    wanted = settings | {"models": sorted(study.model_ids), "data": listings}
    kept = {
        name: {key: listed.get(key) for key in listings.get(name, ("samples",))}
        for name, listed in found["data"].items()
    }
    there = {key: found.get(key) for key in settings} | {"models": sorted(found["models"]), "data": kept}
    require_same(folder, wanted, there)
