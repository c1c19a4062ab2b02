# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Several benchmarks together, and the sets that stand beside them for comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.benchmarks.benchmark import PARTIAL, Benchmark
from visionbias.datasets.benchmarks.descriptions import BENCHMARKS
from visionbias.datasets.label_map import imagenet_wnids
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

    Of those with 200 classes also `<name>_1000_way`, the same images among all of ImageNet's classes, and, where
    ImageNet's validation set has some of them, `<name>_clean`, its images of the 200 classes, among these.

    Raises:
        DataError: see `Benchmark`.
    """
    listed: dict[str, ListedSet] = {}
    for name, place in places.items():
        labels = real if name == "imagenet_val" else None
        data = Benchmark(name, place, real=labels, allow_partial=allow_partial)
        listed[name] = ListedSet(data, data.partial, data.cells)
    for name in [name for name in listed if BENCHMARKS[name].beside_clean]:
        own, clean = listed[name], listed.get("imagenet_val")
        listed[f"{name}_1000_way"] = _among(f"{name}_1000_way", own.data, imagenet_wnids(), own.partial)
        if clean is not None and _present(clean.data) & _present(own.data):
            listed[f"{name}_clean"] = _among(
                f"{name}_clean", clean.data, own.data.classes, (*own.partial, *clean.partial)
            )
    return listed


def _present(data: Dataset) -> set[str]:
    """The classes that have images."""
    return {data.classes[sample.label] for sample in data.samples}


def _among(name: str, data: Dataset, classes: Sequence[str], partial: tuple[str, ...]) -> ListedSet:
    """The images of a set whose class is one of some, labeled so that a model decides among these."""
    labels = {category: label for label, category in enumerate(classes)}
    samples = tuple(
        Sample(sample.id, sample.path, labels[data.classes[sample.label]])
        for sample in data.samples
        if data.classes[sample.label] in labels
    )
    stamped = f"{name}{PARTIAL if partial else ''}"
    return ListedSet(Dataset(stamped, data.root, samples, tuple(classes), precropped=data.precropped), partial)
