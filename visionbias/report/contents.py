# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Contents`: everything of a run that a report shows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visionbias.probes.registry import Probe
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

    def probe(self, kind: type[P]) -> P | None:
        """The run's probe of a kind."""
        return next((probe for probe in self.probes if isinstance(probe, kind)), None)
