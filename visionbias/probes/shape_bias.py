# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Shape bias: which cue a model follows where shape and texture disagree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visionbias.conditions.clean import Clean
from visionbias.conditions.mixed_cues import MixedCues
from visionbias.conditions.stimulus import Stimulus
from visionbias.datasets.base import Dataset
from visionbias.datasets.cue_conflict import CueConflictFolder
from visionbias.datasets.cue_pairs import CueConflict, Method
from visionbias.errors import DataError, RunError
from visionbias.metrics.decisions import CATEGORIES16
from visionbias.metrics.intervals import wilson
from visionbias.metrics.shape_bias import shape_bias
from visionbias.probes.columns import with_interval
from visionbias.probes.registry import IMAGES, Probe, condition_id, register
from visionbias.records.reader import ModelRecords

Decision = Literal["auto", "categories16", "data"]


@register("shape_bias")
@dataclass(frozen=True)
class ShapeBias(Probe):
    """The share of shape decisions among those that follow the shape or the texture of cue-conflict images.

    Args:
        data: the images: a `CueConflictFolder` or its path, or a `CueConflict` that is made on the fly.
        name, method: of the images, for scoring where they are not; taken from `data`. With a path, `name` names them.
        decision: among what the model decides. "categories16", the 16 categories, as published: that of the largest
            mean probability over its classes. Needs a model of ImageNet's 1000 classes, and images whose classes are
            named as the categories, without a label map. "data", the classes of the images. "auto", the categories
            where they fit, model by model, else the classes of the images; `shape_bias_decision` says which.

    Raises:
        RunError: there are neither images nor their name, they are of another kind, `name` or `method` is not theirs,
            or `decision` is none of the three.
        DataError: the images cannot be listed, in none of them do shape and texture disagree, or "categories16" does
            not fit them.

    Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019.
    """

    data: Dataset | str | Path | None = field(default=None, metadata=IMAGES)
    name: str = ""
    method: str | None = None  # None: images as they are
    decision: Decision = "auto"

    def __post_init__(self) -> None:
        for option, allowed in (("decision", get_args(Decision)), ("method", (None, *get_args(Method)))):
            if getattr(self, option) not in allowed:
                listed = ", ".join(map(str, allowed))
                raise RunError(f"ShapeBias: {option} must be one of {listed}; got {getattr(self, option)!r}")
        if not isinstance(self.name, str):
            raise RunError(f"ShapeBias: name must be a text, got {self.name!r}")
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
        strangers = sorted(set(data.classes) - set(CATEGORIES16))
        if self.decision == "categories16" and (strangers or data.label_map is not None):
            what = f"got classes such as {strangers[0]!r}" if strangers else "got a label map"
            raise DataError(
                f"ShapeBias: {data.name}: decision='categories16' wants classes that are named as the categories, "
                f"{', '.join(CATEGORIES16)}, and no label map, {what}; try decision='data'"
            )
        method = data.method if isinstance(data, CueConflict) else None
        for option, own in (("name", data.name), ("method", method)):
            if getattr(self, option) not in ("", None, own):
                raise RunError(
                    f"ShapeBias: {option} is that of the images, {own!r}, got {getattr(self, option)!r}; leave it out, "
                    f"or give it to CueConflict or CueConflictFolder"
                )
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "name", data.name)
        object.__setattr__(self, "method", method)

    @property
    def own_data(self) -> tuple[Dataset, ...]:
        """The cue-conflict images."""
        if not isinstance(self.data, Dataset):
            raise RunError(f"ShapeBias: the images of {self.name!r} are not here; build it with data= to run it")
        return (self.data,)

    @property
    def reads_decision16(self) -> bool:
        """See `Probe.reads_decision16`."""
        return self.decision == "categories16"

    @property
    def biases(self) -> tuple[str, ...]:
        """See `Probe.biases`."""
        return ("shape_bias",)

    @cached_property
    def _shown(self) -> Stimulus:
        return Clean() if self.method is None else MixedCues(self.method)

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The images as they are, or mixed."""
        return (self._shown,)

    def score(self, records: ModelRecords) -> dict[str, float | str]:
        """Columns of the decisions on images whose shape and texture disagree. NaN is what is divided by 0.

        `shape_bias`, decisions for the shape over those for shape or texture, with `_low` and `_high` (Wilson), and
        `shape_bias_n`, the number of the latter. `cue_accuracy`, the share of the images that are decided for shape or
        texture, with `_low`, `_high` and `cue_accuracy_n`, the number of the images. `shape_bias_decision`,
        "categories16" or "data". `shape_bias[<category>]` and `shape_bias_n[<category>]`, the same among the images
        whose shape is of one category.
        """
        (shown,) = self._shown.conditions
        condition = condition_id(self.name, shown)
        samples = records.samples(condition)
        category, texture = samples.column("category"), samples.column("texture")
        sixteen = records.column(condition, "decision16")  # NaN of models and images that do not have it
        fits = set(samples.classes) <= set(CATEGORIES16) and bool(np.isfinite(sixteen).all())
        if self.decision != "data" and fits:
            decision, decided = "categories16", _named(CATEGORIES16, sixteen.astype(int))
        else:
            decision, decided = "data", _named(samples.classes, records.column(condition, "pred"))
        # Those that disagree may all be left out as bad, or not be measured yet.
        found = None if (category == texture).all() else shape_bias(category, texture, decided)
        n, n_cue = (found.n, found.n_shape + found.n_texture) if found else (0, 0)
        shares = {
            "shape_bias": (found.n_shape if found else 0, n_cue),
            "cue_accuracy": (n_cue, n),
        }
        columns: dict[str, float | str] = {}
        for name, (count, of) in shares.items():
            columns |= with_interval(name, count / of if of else math.nan, wilson(count, of))
            columns[f"{name}_n"] = of
        columns["shape_bias_decision"] = decision
        for name, one in (found.per_category if found else {}).items():
            columns |= {f"shape_bias[{name}]": one.shape_bias, f"shape_bias_n[{name}]": one.n_shape + one.n_texture}
        return columns


def _named(names: Sequence[str], indices: NDArray[Any]) -> NDArray[np.object_]:
    named: NDArray[np.object_] = np.array(names, dtype=object)[indices]
    return named
