# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Shape bias: which cue a model follows where shape and texture disagree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visionbias.conditions.clean import Clean
from visionbias.conditions.mixed_cues import MixedCues
from visionbias.conditions.stimulus import Stimulus
from visionbias.datasets.base import Dataset
from visionbias.datasets.cue_conflict import CueConflictFolder
from visionbias.datasets.cue_pairs import CueConflict
from visionbias.errors import DataError, RunError
from visionbias.metrics.decisions import CATEGORIES16
from visionbias.metrics.shape_bias import shape_bias
from visionbias.probes.registry import IMAGES, Probe, condition_id, register
from visionbias.records.reader import ModelRecords


@register("shape_bias")
@dataclass(frozen=True)
class ShapeBias(Probe):
    """The share of shape decisions among those that follow the shape or the texture of cue-conflict images.

    Args:
        data: the images: a `CueConflictFolder` or its path, or a `CueConflict` that is made on the fly.
        name, method: of the images, for scoring where they are not; taken from `data`.
        decision: "data", among the classes of the images; "categories16", among the 16 categories by the mean
            probability of each one's classes, as published, for models of ImageNet's 1000 classes and images of the
            categories; or "auto", the latter for models and images that it fits, the former for all others.

    Raises:
        RunError: there are neither images nor their name, they are of another kind, or `decision` is none of the three.
        DataError: the images cannot be listed, or in none of them do shape and texture disagree.

    Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019.
    """

    data: Dataset | str | Path | None = field(default=None, metadata=IMAGES)
    name: str = ""
    method: str | None = None  # None: images as they are
    decision: Literal["auto", "data", "categories16"] = "auto"

    def __post_init__(self) -> None:
        if self.decision not in ("auto", "data", "categories16"):
            raise RunError(f"ShapeBias: decision must be auto, data or categories16, got {self.decision!r}")
        if self.data is None:
            if not self.name:
                raise RunError("ShapeBias: wanted the images, got none; try vb.ShapeBias('cue-conflict/')")
            return
        data = self.data
        if isinstance(data, (str, Path)):
            data = CueConflictFolder(data, name=self.name or None)
        if not isinstance(data, Dataset) or not data.textures:
            raise RunError(
                f"ShapeBias: data must be a folder of cue-conflict images, a CueConflictFolder or a CueConflict, "
                f"got {self.data!r:.80}"
            )
        if all(texture == sample.label for texture, sample in zip(data.textures, data.samples, strict=True)):
            raise DataError(f"{data.root}: none of {len(data.samples)} images has a shape and a texture that disagree")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "name", data.name)
        object.__setattr__(self, "method", data.method if isinstance(data, CueConflict) else None)

    @property
    def own_data(self) -> Dataset | None:
        """The cue-conflict images."""
        if not isinstance(self.data, Dataset):
            raise RunError(f"ShapeBias: the images of {self.name!r} are not here; build it with data= to run it")
        return self.data

    @property
    def reads_decision16(self) -> bool:
        """See `Probe.reads_decision16`."""
        return self.decision == "categories16"

    @cached_property
    def _shown(self) -> Stimulus:
        return Clean() if self.method is None else MixedCues(self.method)

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The images as they are, or mixed."""
        return (self._shown,)

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `shape_bias` with `_low` and `_high`, `shape_bias_n`, `cue_accuracy`, `n_shape`, `n_texture`.

        `shape_bias` is `n_shape / (n_shape + n_texture)`, decisions for the shape and for the texture;
        `shape_bias_n` counts the images whose cues disagree, and `cue_accuracy` is the share of them that is decided
        for either. `shape_bias_<category>` and `shape_bias_<category>_n` are the ratio and its denominator among images
        of one shape. Without an image of conflict the counts are 0, and the others are NaN or absent.
        """
        (shown,) = self._shown.conditions
        condition = condition_id(self.name, shown)
        samples = records.samples(condition)
        category, texture, decision = (
            samples.column("category"),
            samples.column("texture"),
            self._decisions(records, condition),
        )
        if (category == texture).all():  # all images of conflict were left out as bad, or are not measured yet
            unknown = ("shape_bias", "shape_bias_low", "shape_bias_high", "cue_accuracy")
            return dict.fromkeys(unknown, math.nan) | dict.fromkeys(("shape_bias_n", "n_shape", "n_texture"), 0)
        result = shape_bias(category, texture, decision)
        columns = {
            "shape_bias": result.shape_bias,
            "shape_bias_low": result.interval[0],
            "shape_bias_high": result.interval[1],
            "shape_bias_n": result.n,
            "cue_accuracy": result.cue_accuracy,
            "n_shape": result.n_shape,
            "n_texture": result.n_texture,
        }
        for name, one in result.per_category.items():
            columns |= {f"shape_bias_{name}": one.shape_bias, f"shape_bias_{name}_n": one.n_shape + one.n_texture}
        return columns

    def _decisions(self, records: ModelRecords, condition: str) -> NDArray[np.object_]:
        """What the model saw in each image: one of the 16 categories or of the data's classes."""
        sixteen = records.column(condition, "decision16")
        if self.decision != "data" and np.isfinite(sixteen).all():
            return _named(CATEGORIES16, sixteen.astype(int))
        return _named(records.samples(condition).classes, records.column(condition, "pred"))


def _named(names: Sequence[str], indices: NDArray[Any]) -> NDArray[np.object_]:
    named: NDArray[np.object_] = np.array(names, dtype=object)[indices]
    return named
