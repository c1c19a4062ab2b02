# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Generalization: accuracy on published benchmarks and on sets of one's own, and its mean over groups of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionbias.conditions.clean import CLEAN, Clean
from visionbias.conditions.stimulus import Stimulus
from visionbias.datasets.base import Dataset
from visionbias.datasets.benchmarks import BENCHMARKS, C15, PARTIAL, ListedSet, list_benchmarks, v2_variants
from visionbias.datasets.folder import ImageFolder
from visionbias.errors import RunError
from visionbias.metrics.accuracy import accuracy, correct_by_label_sets
from visionbias.metrics.corruptions import MCE, corruption_accuracy, mean_corruption_error
from visionbias.metrics.intervals import Interval, mean_interval
from visionbias.probes.columns import with_interval
from visionbias.probes.registry import IMAGES, Probe, condition_id, image_options, known_probes, register
from visionbias.records.reader import ModelRecords

Place = str | Path
Found = float | tuple[float, Interval]  # a number, or one with its interval

REAL = "real"  # ImageNet's validation images with the labels of ReaL: no images of its own

# The study's; a member is a set, or the column of another probe.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "ID": ("imagenet_val", "imagenet_v2_matched_frequency", REAL),
    "robustness": ("imagenet_a", "imagenet_c", "imagenet_c_bar"),
    "concepts": ("imagenet_r", "sketch", "stylized"),
    "adversarial": ("pgd",),
}
_OTHER_PROBES = ("pgd",)
_OF_VAL = {"imagenet_val", REAL, "imagenet_c", "imagenet_c_bar", "pgd"}  # made of the same images
# What names columns of summaries and groups of them, and how further columns begin.
_TAKEN = {
    *("model", "status", "n", "bad", "precision", "category", "own", "other", REAL, *GROUPS, *_OTHER_PROBES),
    *("lpp", "hpp", "cue_accuracy", "shape_reliance", "texture_reliance", "color_reliance", "low_contrast_accuracy"),
}
_TAKEN_STARTS = (
    *("top1", "top5", "worst_group", "lfc_", "hfc_", "channel_", "critical_band_", "peak_noise"),
    *("shape_bias_", "without_", *BENCHMARKS),
)
_TAKEN_ENDS = ("_low", "_high", "_n", "_sets")  # of what stands beside a number


@register("generalization")
@dataclass(frozen=True)
class Generalization(Probe):
    """Top-1 accuracy in [0, 1] on benchmarks in their official layout, each by the rule of its authors.

    Args:
        imagenet_val: ImageNet's validation set, a folder a WordNet id.
        imagenet_v2: a variant of ImageNet-V2, a folder that holds some, or `{"matched-frequency": path, ...}`.
        real: ReaL's `real.json`, which scores `imagenet_val` again: an answer is correct if it is in the label set of
            the image, and images without labels do not count.
        imagenet_a, imagenet_r: decided among the 200 classes that each is published with, and once more among all 1000.
            With `imagenet_val`, its images of the same classes are decided among the 200 too, to compare. Models see
            the images again for each.
        sketch: ImageNet-Sketch.
        stylized: the 16-class Stylized set, decided among the 16 categories.
        imagenet_c, imagenet_c_bar: `<corruption>/<severity>/<WordNet id>/`, never resized. ImageNet-C has the 15
            corruptions, or all 19.
        own: data sets of yours, or image folders; columns have their names.
        groups: names of your groups -> sets to average, beside the study's, or instead of one of the same name.
        allow_partial: measure what is there of a set that is not whole, with "[partial]" in the name of every number.
        sets: what `config` says of the sets, for scoring where the images are not; taken from the images.

    Raises:
        RunError: there is nothing to show, an option is of another kind, or a name is taken or unknown.
        DataError: a set cannot be listed, or is not whole.

    Source: Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?", CVPR 2024.
    """

    imagenet_val: Place | None = field(default=None, metadata=IMAGES)
    imagenet_v2: Place | Mapping[str, Place] | None = field(default=None, metadata=IMAGES)
    real: Place | None = field(default=None, metadata=IMAGES)
    imagenet_a: Place | None = field(default=None, metadata=IMAGES)
    imagenet_r: Place | None = field(default=None, metadata=IMAGES)
    sketch: Place | None = field(default=None, metadata=IMAGES)
    stylized: Place | None = field(default=None, metadata=IMAGES)
    imagenet_c: Place | None = field(default=None, metadata=IMAGES)
    imagenet_c_bar: Place | None = field(default=None, metadata=IMAGES)
    own: Sequence[Dataset | Place] = field(default=(), metadata=IMAGES)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allow_partial: bool = False
    sets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.allow_partial, bool):
            raise RunError(f"Generalization: allow_partial must be True or False, got {self.allow_partial!r}")
        if self._has_images:
            object.__setattr__(self, "sets", self._described())
        elif not isinstance(self.sets, Mapping) or not all(map(_is_description, self.sets.values())):
            raise RunError(f"Generalization: sets must be as config() gives them, got {self.sets!r:.80}")
        if not self.sets:
            raise RunError("Generalization: wanted at least one set; try vb.Generalization(sketch='imagenet-sketch/')")
        object.__setattr__(self, "groups", self._checked_groups())

    @property
    def _has_images(self) -> bool:
        return any(getattr(self, option) not in (None, ()) for option in image_options(self.registered_as))

    @cached_property
    def _listed(self) -> dict[str, ListedSet]:
        """Set -> its images."""
        if self.real is not None and self.imagenet_val is None:
            raise RunError("Generalization: real labels ImageNet's validation set; give imagenet_val too")
        places = {name: getattr(self, name, None) for name in BENCHMARKS}
        places |= {} if self.imagenet_v2 is None else v2_variants(self.imagenet_v2)
        given = {name: place for name, place in places.items() if place is not None}
        listed = list_benchmarks(given, real=self.real, allow_partial=self.allow_partial)
        if isinstance(self.own, (str, Path, Dataset)) or not isinstance(self.own, Sequence):
            raise RunError(f"Generalization: own must be a list of data sets or folders, got {self.own!r:.80}")
        for entry in self.own:
            if not isinstance(entry, (str, Path, Dataset)):
                raise RunError(f"Generalization: own must hold data sets or folders, got {entry!r:.80}")
            data = entry if isinstance(entry, Dataset) else ImageFolder(entry)
            if data.name in listed or _is_taken(data.name):
                raise RunError(f"Generalization: own: the name {data.name!r} is taken; give your set another name=")
            listed[data.name] = ListedSet(data)
        return listed

    def _described(self) -> dict[str, dict[str, Any]]:
        """`sets` as JSON has it: set -> the name of its images, what is missing, and its corruptions and severities."""
        described = {
            name: {"images": one.data.name, "partial": list(one.partial), "cells": list(one.cells)}
            for name, one in self._listed.items()
        }
        return described | ({} if self.real is None else {REAL: described["imagenet_val"]})

    def _checked_groups(self) -> dict[str, list[str]]:
        """The groups of the user as JSON has them."""
        if not isinstance(self.groups, Mapping):
            raise RunError(f"Generalization: groups must map names to lists of sets, got {self.groups!r:.80}")
        known = (*self.sets, *_OTHER_PROBES)
        checked = {}
        for group, members in self.groups.items():
            if isinstance(members, str) or not isinstance(members, Sequence) or not members:
                raise RunError(f"Generalization: group {group!r} must be a list of sets, got {members!r:.80}")
            if unknown := [str(name) for name in members if name not in known]:
                raise RunError(
                    f"Generalization: group {group!r} names {', '.join(unknown)}; the sets are {', '.join(known)}"
                )
            if not isinstance(group, str) or group in self.sets or (_is_taken(group) and group not in GROUPS):
                raise RunError(f"Generalization: the name {group!r} is taken, or no name; give the group another")
            checked[group] = list(dict.fromkeys(members))
        return checked

    @property
    def own_data(self) -> tuple[Dataset, ...]:
        """All sets."""
        if not self._has_images:
            raise RunError(f"Generalization: the images of {', '.join(self.sets)} are not here; name them to run it")
        return tuple(one.data for one in self._listed.values())

    @property
    def benchmarks(self) -> Mapping[str, tuple[str, ...]]:
        """See `Probe.benchmarks`: its sets by group, and what your groups have of other probes; of the rest, your sets
        are "own", and published ones "other".
        """
        grouped = {
            group: tuple(self._column(name) for name in members if name in self.sets or group in self.groups)
            for group, members in {**GROUPS, **self.groups}.items()
        }
        of_groups = {name for names in grouped.values() for name in names}
        for name in self.sets:
            if (column := self._column(name)) not in of_groups:
                group = "other" if name == REAL or name.startswith(tuple(BENCHMARKS)) else "own"
                grouped[group] = (*grouped.get(group, ()), column)
        return {group: names for group, names in grouped.items() if names}

    @property
    def images(self) -> dict[str, str]:
        """Column of `benchmarks` -> the data set whose images it is of."""
        return {self._column(name): about["images"] for name, about in self.sets.items()}

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The images as they are."""
        return (Clean(),)

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `<set>` with `_low` and `_high`, and `<set>_n`, the number of images.

        `imagenet_a` and `imagenet_r` have `<set>_1000_way`, decided among all classes, and `<set>_clean`, the accuracy
        on clean images of the same 200. Sets of your own with groups have `<set>[<group>]` and `<set>_n[<group>]`.

        Of corruptions: `imagenet_c_15` and, where all are there, `imagenet_c_19`, means over corruptions of means over
        severities; `imagenet_c_mce`, the mean over 15 corruptions of the error over AlexNet's (1 is as many);
        `imagenet_c_bar`; and `<set>[<corruption>]` and `<set>[<corruption>/<severity>]`. `<set>_n` counts the images
        that are there under each of them, intervals are a bootstrap over these.

        Names of numbers end in "[partial]" where the set is not whole.
        """
        columns: dict[str, float] = {}
        for name, about in self.sets.items():
            condition = condition_id(about["images"], CLEAN)
            if records.is_measured(condition):
                if cells := about["cells"]:
                    found = _of_corruptions(records, condition, name, cells)
                else:
                    found = _of_images(records, condition, name)
                for column, value in found:
                    columns |= _columns(column, value, bool(about["partial"]))
        return columns

    def combine(self, columns: Mapping[str, float | str]) -> dict[str, float | str]:
        """Columns `<group>` with `_low` and `_high`, the mean over those of its sets that the study shows, and
        `<group>_sets`, which these are.

        Intervals add as those of independent numbers, but where sets are made of the same images, as ImageNet-C and
        ReaL of the validation set, or may be, as your own, as if they erred together: see `mean_interval`.
        """
        means: dict[str, float | str] = {}
        for group, members in {**GROUPS, **self.groups}.items():
            shown = {name: self._column(name) for name in members if name in self.sets or name in columns}
            if not shown or any(column not in columns for column in shown.values()):  # one is not measured yet
                continue
            value, low, high = (
                [float(columns[f"{column}{end}"]) for column in shown.values()] for end in ("", "_low", "_high")
            )
            interval = mean_interval(value, list(zip(low, high, strict=True)), [_family(name) for name in shown])
            partial = any(column.endswith(PARTIAL) for column in shown.values())
            means |= _columns(group, (float(np.mean(value)), interval), partial)
            means[f"{group}_sets"] = " + ".join(shown.values())
        return means

    def _column(self, name: str) -> str:
        """The column of a member of a group."""
        about = self.sets.get(name)
        if about is None:
            return name
        if name == "imagenet_c":
            name = "imagenet_c_19" if _has_extra(about["cells"]) else "imagenet_c_15"
        return f"{name}{PARTIAL if about['partial'] else ''}"


def _is_taken(name: str) -> bool:
    taken = name in {*_TAKEN, *known_probes()} or name.startswith(_TAKEN_STARTS)
    return taken or name.endswith(_TAKEN_ENDS) or "[" in name


def _is_description(about: object) -> bool:
    return isinstance(about, Mapping) and {"images", "partial", "cells"} <= set(about)


def _family(name: str) -> str:
    """What a set has in common with those whose errors may go with its own; yours may be made of any images."""
    images = name.removesuffix("_1000_way")
    return images if images in BENCHMARKS and images not in _OF_VAL else "val"


def _columns(name: str, found: Found, partial: bool) -> dict[str, float]:
    name = f"{name}{PARTIAL if partial else ''}"
    return with_interval(name, *found) if isinstance(found, tuple) else {name: found}


def _of_images(records: ModelRecords, condition: str, name: str) -> Iterator[tuple[str, Found]]:
    samples = records.samples(condition)
    if name == REAL:
        correct = correct_by_label_sets(records.column(condition, "pred"), *samples.accepted())
        groups = np.full(len(correct), None)
    else:
        correct, groups = records.correct([condition])[:, 0], samples.column("group")
    result = accuracy(correct)
    yield name, (result.accuracy, result.interval)
    yield f"{name}_n", result.n
    for group in sorted(set(groups) - {None}):
        own = correct[groups == group]
        yield f"{name}[{group}]", float(own.mean())
        yield f"{name}_n[{group}]", len(own)


def _of_corruptions(
    records: ModelRecords, condition: str, name: str, cells: Sequence[str]
) -> Iterator[tuple[str, Found]]:
    rows = records.samples(condition).rows_by_group(cells)
    correct: NDArray[np.bool_] = records.correct([condition])[:, 0][rows]  # [I, F]
    if name == "imagenet_c":
        yield "imagenet_c_15", corruption_accuracy(correct, cells, C15)
        if _has_extra(cells):
            yield "imagenet_c_19", corruption_accuracy(correct, cells)
        yield MCE, mean_corruption_error(correct, cells)
    else:
        yield name, corruption_accuracy(correct, cells)
    yield f"{name}_n", len(correct)
    curves: dict[str, list[float]] = {}
    for cell, own in zip(cells, correct.T, strict=True):
        curves.setdefault(cell.split("/")[0], []).append(float(own.mean()) if len(own) else np.nan)
        yield f"{name}[{cell}]", curves[cell.split("/")[0]][-1]
    yield from ((f"{name}[{corruption}]", float(np.mean(curve))) for corruption, curve in curves.items())


def _has_extra(cells: Sequence[str]) -> bool:
    return any(cell.split("/")[0] not in C15 for cell in cells)
