# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Several benchmarks together, and the sets that stand beside them for comparison."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.benchmarks.benchmark import Benchmark
from visionbias.datasets.benchmarks.descriptions import BENCHMARKS
from visionbias.datasets.label_map import imagenet_wnids
from visionbias.datasets.partial import PARTIAL
from visionbias.types import Sample


@dataclass(frozen=True)
class ListedSet:
    """A set of images, and what is to be said wherever its numbers are shown."""

    data: Dataset
    partial: tuple[str, ...] = ()  # how it differs from what is published
    cells: tuple[str, ...] = ()  # corruptions and severities, such as "fog/3"


def list_benchmarks(
    places: Mapping[str, str | Path],  # benchmark -> folder
    *,
    real: str | Path | None = None,
    allow_partial: bool = False,
) -> dict[str, ListedSet]:
    """The sets, as `Benchmark` lists them.

    Of those with 200 classes also `<name>_1000_way`, the same images among all of ImageNet's classes, and
    `<name>_clean`, what ImageNet's validation set has of the classes that are there, among the 200.

    Raises:
        DataError: see `Benchmark`.
    """
    listed: dict[str, ListedSet] = {}
    for name, place in places.items():
        labels = real if name == "imagenet_val" else None
        data = Benchmark(name, place, real=labels, allow_partial=allow_partial)
        listed[name] = ListedSet(data, data.partial, data.cells)
    for name in [name for name in listed if BENCHMARKS[name].subset]:
        own, clean = listed[name], listed.get("imagenet_val")
        there = _present(own.data)
        listed[f"{name}_1000_way"] = _among(f"{name}_1000_way", own.data, there, imagenet_wnids(), own.partial)
        if clean is not None and there & _present(clean.data):
            partial = (*own.partial, *clean.partial)
            listed[f"{name}_clean"] = _among(f"{name}_clean", clean.data, there, own.data.classes, partial)
    return listed


def _present(data: Dataset) -> set[str]:
    """The classes that have images."""
    return {data.classes[sample.label] for sample in data.samples}


def _among(
    name: str, data: Dataset, shown: Collection[str], classes: Sequence[str], partial: tuple[str, ...]
) -> ListedSet:
    """The images of a set of the classes that are shown, labeled so that a model decides among `classes`."""
    labels = {category: label for label, category in enumerate(classes)}
    samples = tuple(
        Sample(sample.id, sample.path, labels[data.classes[sample.label]])
        for sample in data.samples
        if data.classes[sample.label] in shown
    )
    stamped = f"{name}{PARTIAL if partial else ''}"
    return ListedSet(Dataset(stamped, data.root, samples, tuple(classes), precropped=data.precropped), partial)
