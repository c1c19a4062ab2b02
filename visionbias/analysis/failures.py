# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where models fail: the conditions, classes and groups in which a model loses most, from the records of a run."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from visionbias.analysis.tables import is_whole, require_names
from visionbias.conditions.clean import CLEAN
from visionbias.datasets.benchmarks import PARTIAL
from visionbias.errors import RunError
from visionbias.metrics.intervals import difference_intervals
from visionbias.records.files import RECORDS
from visionbias.records.manifest import read_manifest
from visionbias.records.reader import IncompleteError, ModelRecords
from visionbias.records.samples import SampleTable

Against = Literal["clean", "others"]

COLUMNS = (
    *("model", "data", "condition", "kind", "slice", "n", "accuracy", "clean", "others"),
    *("lost", "lost_low", "lost_high"),
)
_KINDS = {"condition": None, "class": "category", "group": "group"}  # kind of slice -> column of the samples
_VAL = "imagenet_val"  # the clean images of ImageNet's classes, where a run has them


@dataclass(frozen=True)
class _Partition:
    """The samples [N] of one data set by condition, class or group; samples without a group are in no slice."""

    kind: str
    slices: tuple[str, ...]  # [K]
    codes: NDArray[np.intp]  # [N] index into slices, K for none

    @cached_property
    def sizes(self) -> NDArray[np.int64]:  # [K]
        """Samples of each slice."""
        return self._count(self.codes)

    def count(self, marked: NDArray[np.bool_]) -> NDArray[np.int64]:  # [N] -> [K]
        """Samples of each slice that are marked."""
        return self._count(self.codes[marked])

    def _count(self, codes: NDArray[np.intp]) -> NDArray[np.int64]:
        return np.bincount(codes, minlength=len(self.slices) + 1)[:-1]


@dataclass(frozen=True)
class _DataSet:
    """What one data set shows, and under which conditions."""

    name: str
    samples: SampleTable
    conditions: tuple[str, ...]  # [F]

    @cached_property
    def clean(self) -> int | None:
        """Which condition shows the images unchanged, if any."""
        named = [i for i, name in enumerate(self.conditions) if name in (CLEAN, f"{self.name}/{CLEAN}")]
        return named[0] if named else None

    @cached_property
    def partitions(self) -> tuple[_Partition, ...]:
        """The whole, the classes, and the groups where there are any."""
        found = []
        for kind, column in _KINDS.items():
            values = pd.Series(["all"] * len(self.samples.table) if column is None else self.samples.column(column))
            codes, slices = pd.factorize(values, sort=True)
            if len(slices):
                found.append(_Partition(kind, tuple(map(str, slices)), np.where(codes < 0, len(slices), codes)))
        return tuple(found)

    def by_class(self, partition: _Partition, classes: Sequence[str]) -> NDArray[np.float64]:  # [C] -> [K, C + 1]
        """What share of each slice is of each class; the last column has those of no class of `classes`."""
        codes = pd.Index(classes).get_indexer(pd.Index(self.samples.column("category")))
        counts = np.zeros((len(partition.slices) + 1, len(classes) + 1))
        np.add.at(counts, (partition.codes, codes), 1.0)  # -1, of no class, is the last
        return counts[:-1] / partition.sizes[:, None]


def failures(
    folder: str | Path,
    *,
    against: Against = "clean",
    models: Collection[str] | None = None,
    top: int = 20,
    min_n: int = 10,
) -> pd.DataFrame:
    """The slices in which models surely lose most, worst first: by the lower end of the interval of what is lost, for
    among many small slices some lose much by chance.

    A slice is all images of a data set under one condition, or those of a class, or of a group. All records are read
    once, one model and condition at a time; what is kept is a count a slice.

    `clean` is the model's own accuracy on the same images unchanged. Of other images that are shown as they are, such
    as those of a benchmark, it is the accuracy on clean images of the same classes, in the proportions of the slice;
    for a class that is its accuracy on clean images. These come from the set `<name>_clean`, from `imagenet_val`, or
    are the study's own, whichever the run has first; a slice with a class that they lack has nothing to compare with.

    Args:
        folder: of a run, `run.folder`.
        against: what `lost` is measured from: "clean", or the mean accuracy of the other models in the same slice
            ("others").
        models: those to list, default all; the others of the run still count as "others". Models without all records
            are left out of both.
        top: rows kept of each model and kind of slice.
        min_n: images that a class or group needs to be listed; in smaller ones chance rules.

    Returns the columns `model, data, condition, kind, slice, n, accuracy, clean, others, lost, lost_low, lost_high`:
    `kind` is "condition", "class" or "group", `slice` its name ("all" of a condition); accuracies are in [0, 1], NaN
    where there is nothing to compare with; 95 % intervals are Newcombe's, of shares of n images each.
    `slice_samples` gives the images of a row.

    Raises:
        RunError: the folder holds no run, its records cannot be read, no model has all of them, there is no other
            model, a model is not in the run, or an option is not as above.
        DataError: `models` is no list of names.
    """
    if (
        not isinstance(against, str)
        or against not in ("clean", "others")
        or not is_whole(top, 1)
        or not is_whole(min_n, 1)
    ):
        raise RunError(
            "failures: wanted against 'clean' or 'others', top and min_n whole numbers of 1 or more, "
            f"got {against!r}, {top!r}, {min_n!r}"
        )
    folder = Path(folder)
    names, sets = _open(folder)
    models = names if models is None else require_names("failures", "models", models)
    if unknown := sorted(set(models) - set(names)):
        raise RunError(f"{folder} has no model {', '.join(unknown)}; it has {', '.join(names)}")
    hits = {}
    for model in names:
        with suppress(IncompleteError):
            hits[model] = _hits(folder, model, sets)
    if not hits:
        raise RunError(f"{folder}: no model has all of its records; finish the run by starting it again")
    if against == "others" and len(hits) < 2:
        raise RunError(f"{folder}: only {next(iter(hits))} has all of its records; against='others' needs two models")
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    for data, partition in [(one, partition) for one in sets for partition in one.partitions]:
        counts = np.stack([of_model[data.name, partition.kind] for of_model in hits.values()])
        accuracies = counts / partition.sizes  # [M, F, K]
        total = accuracies.sum(axis=0)
        reference = _reference(data, sets)
        for model, accuracy in zip(hits, accuracies, strict=True):
            if model in models:
                others = (total - accuracy) / (len(hits) - 1) if len(hits) > 1 else np.full_like(accuracy, np.nan)
                clean = _clean(data, partition, accuracy, reference, hits[model])
                lost = (clean if against == "clean" else others) - accuracy
                if against == "clean" and reference is None and data.clean is not None:
                    lost[data.clean] = np.nan  # they are the same
                numbers = {"accuracy": accuracy, "clean": clean, "others": others, "lost": lost}
                frames.append(_worst(model, data, partition, numbers, top, min_n))
    found = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
    found = found.sort_values("lost_low", ascending=False, kind="stable")
    return found.groupby(["model", "kind"], sort=False).head(top).reset_index(drop=True)


def slice_samples(
    folder: str | Path,
    row: Mapping[str, Any],  # of `failures`
) -> pd.DataFrame:
    """The images of one slice, sorted by path: `path, label, group, correct, clean`.

    `path` is the sample id, `label` the name of the class, a categorical of all classes of the set; `correct` says
    whether the model was right under the condition, and `clean` whether it was on the unchanged image (missing where
    the run has not shown it). Written with `to_csv(..., index=False)` it is a manifest for `visionbias.CsvManifest`,
    with `root` the folder of the images, `classes=images["label"].cat.categories`, for the slice may lack some of the
    classes that a model decides among, and the `label_map` and `precropped` that the set had.

    Raises:
        RunError: the folder holds no run or not this slice, or its records are missing or cannot be read.
    """
    folder = Path(folder)
    names, sets = _open(folder)
    try:
        model, name, condition, kind, of_slice = (
            str(row[key]) for key in ("model", "data", "condition", "kind", "slice")
        )
    except (KeyError, IndexError, TypeError) as error:
        raise RunError(f"slice_samples: wanted a row of failures(), such as its .iloc[0], got {row!r}") from error
    chosen = [data for data in sets if data.name == name and condition in data.conditions]
    if model not in names or not chosen or kind not in _KINDS:
        raise RunError(f"{folder} has no slice {dict(row)}; wanted a row of failures() of the same run")
    (data,) = chosen
    records = _records(folder, model, data)
    columns = {"path": "sample_id", "label": "category", "group": "group"}
    frame = pd.DataFrame({name: data.samples.column(column) for name, column in columns.items()})
    frame["label"] = pd.Categorical(frame["label"], data.samples.classes)
    frame["correct"] = records.correct([condition])[:, 0]
    frame["clean"] = None if data.clean is None else records.correct([data.conditions[data.clean]])[:, 0]
    column = {"class": "label", "group": "group"}.get(kind)
    inside = frame if column is None else frame[frame[column] == of_slice]
    if inside.empty:
        raise RunError(f"{folder}: no image is of the {kind} {of_slice!r}; wanted a row of failures() of this run")
    return inside.reset_index(drop=True)


def _open(folder: Path) -> tuple[list[str], list[_DataSet]]:
    """The models, and the data sets."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise RunError(f"{folder} holds no run; wanted the folder that Study.run wrote")
    sets = [
        _DataSet(name, SampleTable(folder, name, described["classes"]), tuple(described["conditions"]))
        for name, described in manifest["data_sets"].items()
    ]
    return sorted(manifest["study"]["models"]), sets


def _records(folder: Path, model: str, data: _DataSet) -> ModelRecords:
    return ModelRecords(folder / RECORDS, model, dict.fromkeys(data.conditions, data.samples), {})


def _hits(folder: Path, model: str, sets: Sequence[_DataSet]) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Correct samples of each condition and slice: (data, kind) -> [F, K].

    Raises:
        IncompleteError: the model does not have all records.
    """
    counts = {}
    for data in sets:
        records = _records(folder, model, data)
        correct = (records.correct([condition])[:, 0] for condition in data.conditions)
        rows = [[partition.count(marked) for partition in data.partitions] for marked in correct]
        for partition, of_conditions in zip(data.partitions, zip(*rows, strict=True), strict=True):
            counts[data.name, partition.kind] = np.stack(of_conditions)
    return counts


def _reference(data: _DataSet, sets: Sequence[_DataSet]) -> _DataSet | None:
    """The set of clean images that the unchanged images of a set are compared with, if they are others."""
    shown = {one.name.removesuffix(PARTIAL): one for one in sets if one.clean is not None}
    own = data.name.removesuffix(PARTIAL)
    if data is sets[0] or own == _VAL or own.endswith(f"_{CLEAN}"):  # they are clean themselves
        return None
    return next(
        (shown[name] for name in (f"{own}_{CLEAN}", _VAL, sets[0].name.removesuffix(PARTIAL)) if name in shown), None
    )


def _clean(
    data: _DataSet,
    partition: _Partition,
    accuracy: NDArray[np.float64],  # [F, K]
    reference: _DataSet | None,
    hits: Mapping[tuple[str, str], NDArray[np.int64]],  # of the model, see `_hits`
) -> NDArray[np.float64]:  # [F, K]
    """The accuracy on clean images that each is compared with; NaN where there is none."""
    clean = np.full_like(accuracy, np.nan)
    if data.clean is not None:
        clean[:] = accuracy[data.clean]
    if reference is not None and reference.clean is not None:
        (classes,) = (one for one in reference.partitions if one.kind == "class")
        of_classes = hits[reference.name, "class"][reference.clean] / classes.sizes
        shares = data.by_class(partition, classes.slices)
        same_classes = np.where(shares[:, -1] > 0, np.nan, shares[:, :-1] @ of_classes)
        clean[data.clean if data.clean is not None else slice(None)] = same_classes
    return clean


def _worst(
    model: str,
    data: _DataSet,
    partition: _Partition,
    numbers: Mapping[str, NDArray[np.float64]],  # accuracy, clean, others, lost [F, K]
    top: int,
    min_n: int,
) -> pd.DataFrame:
    """The rows of one model and partition that may be among its worst."""
    n, accuracy = partition.sizes, numbers["accuracy"]
    lost = np.where(n >= (1 if partition.kind == "condition" else min_n), numbers["lost"], np.nan)
    low, high = difference_intervals(accuracy + lost, accuracy, n)
    order = np.argsort(-low, axis=None, kind="stable")[:top]  # NaN last
    f, k = np.unravel_index(order[np.isfinite(low.ravel()[order])], low.shape)
    return pd.DataFrame(
        {
            "model": model,
            "data": data.name,
            "condition": [data.conditions[i] for i in f],
            "kind": partition.kind,
            "slice": [partition.slices[i] for i in k],
            "n": n[k],
            **{name: values[f, k] for name, values in numbers.items()},
            "lost_low": low[f, k],
            "lost_high": high[f, k],
        },
        columns=list(COLUMNS),
    )
