# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Contents`: everything of a run that a report shows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visionbias.datasets.benchmarks import BENCHMARKS, PARTIAL
from visionbias.datasets.cue_conflict import PUBLISHED
from visionbias.probes.generalization import Generalization
from visionbias.probes.registry import Probe
from visionbias.probes.shape_bias import ShapeBias
from visionbias.records.reader import IncompleteError, ModelRecords

if TYPE_CHECKING:
    import pandas as pd

P = TypeVar("P", bound=Probe)
T = TypeVar("T")


@dataclass(frozen=True)
class Contents:
    """A run as the report's sections read it."""

    folder: Path  # of the run
    manifest: Mapping[str, Any]
    summary: "pd.DataFrame"  # columns of `Run.summary`, and the user's own
    probes: tuple[Probe, ...]
    records: Mapping[str, ModelRecords]  # of each model that has numbers, its samples those behind the summary
    progress: tuple[int, int]  # forward passes done and in all
    failures: Mapping[str, str]  # model -> reason, of those without numbers
    biases: tuple[str, ...]  # columns of the summary
    benchmarks: Mapping[str, tuple[str, ...]]  # group -> columns of the summary
    categories: Mapping[str, str]  # model -> kind of training, of those for which it is known
    clean: str = "top1"  # column of accuracy on the images as they are
    faults: Mapping[str, str] = field(default_factory=dict)  # column -> what is known to be wrong with it

    @property
    def models(self) -> list[str]:
        """All models, sorted."""
        return [str(name) for name in self.summary["model"]]

    def measured(self, read: Callable[[ModelRecords], T]) -> Iterator[tuple[int, str, T]]:
        """Place in the order of all models, name, and what `read` finds, of each model that has records for it."""
        for i, model in enumerate(self.models):
            if model in self.records:
                with suppress(IncompleteError):
                    yield i, model, read(self.records[model])

    @property
    def data(self) -> str:
        """The name of the study's own data set."""
        return str(next(iter(self.manifest["data_sets"])))

    def partial(self, *sets: str) -> list[str]:
        """What figures must say of those of the data sets that are not whole."""
        return [self._partial(name) for name in dict.fromkeys(sets) if name.endswith(PARTIAL)]

    def sets_of(self, columns: Iterable[str]) -> list[str]:
        """The data sets whose images are behind columns of the summary; one's own columns have none."""
        sets: dict[str, str] = {}
        for probe in self.probes:
            names = [*probe.biases, *(name for group in probe.benchmarks.values() for name in group)]
            if isinstance(probe, Generalization):
                sets |= probe.images
            else:
                sets |= dict.fromkeys(names, probe.name if isinstance(probe, ShapeBias) else self.data)
        return [sets[name] for name in columns if name in sets]

    def _partial(self, data: str) -> str:
        """Such as "partial: ImageNet-C (3,750 of 3,750,000 images)"."""
        name, n = data.removesuffix(PARTIAL), self.manifest["data_sets"][data]["n"]
        cues = self.probe(ShapeBias)
        if cues and cues.name == data:
            return f"partial: {name} ({n:,} of {PUBLISHED:,} images)"
        if name not in BENCHMARKS:
            return f"partial: {name} ({n:,} images)"
        generalization = self.probe(Generalization)
        cells = generalization.sets.get(name, {}).get("cells", ()) if generalization else ()
        return f"partial: {BENCHMARKS[name].title} ({n:,} of {BENCHMARKS[name].total(cells):,} images)"

    def probe(self, kind: type[P]) -> P | None:
        """The run's probe of a kind."""
        return next((probe for probe in self.probes if isinstance(probe, kind)), None)
