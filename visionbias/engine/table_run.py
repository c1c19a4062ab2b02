# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`TableRun`: the study's published table as a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from visionbias.analysis.groups import STUDY_GROUPS
from visionbias.analysis.own_columns import with_own_columns
from visionbias.analysis.study_table import STUDY_BIASES, StudyTable, load_study_table
from visionbias.analysis.tables import MODEL, model_categories
from visionbias.engine.arguments import path_of
from visionbias.errors import RunError
from visionbias.report.contents import Contents
from visionbias.report.figures import Format, write_figures
from visionbias.report.html import write_report

_CLEAN = "top1_acc/imagenet"
_IMAGES = 50_000  # of ImageNet's validation set, behind each row


@dataclass(frozen=True)
class TableRun:
    """What of a run a table with a row a model has: numbers, but no records and no intervals.

    Its groups of benchmarks are single numbers each, the means that the study correlates its biases with.
    """

    path: Path
    published: StudyTable

    @property
    def model_ids(self) -> list[str]:
        """The models, sorted."""
        return sorted(map(str, self.published.table[MODEL]))

    @property
    def biases(self) -> tuple[str, ...]:
        """Columns of the summary that say how a model sees."""
        return tuple(name for name in STUDY_BIASES if name in self.published.table)

    @property
    def benchmarks(self) -> dict[str, tuple[str, ...]]:
        """Group -> columns of the summary that say how well a model generalizes."""
        return {group: (group,) for group in STUDY_GROUPS}

    @property
    def failures(self) -> Mapping[str, str]:
        """None."""
        return {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said of the numbers wherever they are shown."""
        return tuple(f"{name}: {fault}" for name, fault in self.published.faults.items())

    def progress(self) -> tuple[int, int]:
        """Nothing is left to do."""
        return 0, 0

    def summary(self) -> pd.DataFrame:
        """A row a model, sorted by name: `model, status, n, bad`, then the columns of the table."""
        table = self.published.table.sort_values(MODEL, ignore_index=True)
        lead = {MODEL: table[MODEL].astype(str), "status": "complete", "n": _IMAGES, "bad": 0}
        return pd.DataFrame(lead).join(table.drop(columns=MODEL))

    def report(
        self,
        path: str | Path,
        *,
        columns: str | Path | pd.DataFrame | None = None,
        features: Sequence[str] = (),
        summary: pd.DataFrame | None = None,
    ) -> Path:
        """Write the page of `Run.report`, without what is made of records, with the known faults of the table.

        Raises:
            RunError: the page cannot be written.
            DataError: the columns do not fit the models, or a feature is none of them.
        """
        return write_report(self._contents(columns, features, summary), path_of("path", path))

    def figures(
        self,
        folder: str | Path,
        *,
        format: Format = "svg",
        columns: str | Path | pd.DataFrame | None = None,
        features: Sequence[str] = (),
        summary: pd.DataFrame | None = None,
    ) -> list[Path]:
        """Write the figures of the report as files, see `Run.figures`.

        Raises:
            RunError: Kaleido or a browser is missing, the format is another, or a file cannot be written.
            DataError: the columns do not fit the models, or a feature is none of them.
        """
        return write_figures(self._contents(columns, features, summary), path_of("folder", folder), format)

    def _contents(
        self, columns: str | Path | pd.DataFrame | None, features: Sequence[str], summary: pd.DataFrame | None
    ) -> Contents:
        own = self.summary()
        if summary is None:
            summary = own
        elif not isinstance(summary, pd.DataFrame) or not own.equals(
            summary[own.columns.intersection(summary.columns)]
        ):
            raise RunError(f"summary: wanted what summary() of {self.path} gave, got another table; leave it out")
        summary, features, targets = with_own_columns(summary, columns, features)
        return Contents(
            folder=self.path,
            manifest={"data_sets": {}},
            summary=summary,
            probes=(),
            records={},
            progress=self.progress(),
            failures=self.failures,
            biases=(*self.biases, *features),
            benchmarks=self.benchmarks | ({"own": tuple(targets)} if targets else {}),
            categories=model_categories(summary),
            clean=_CLEAN,
            faults=self.published.faults,
        )


def open_table(path: str | Path) -> TableRun:
    """Read the study's `benchmark.csv` as a run.

    Raises:
        RunError: that is no path.
        DataError: the file cannot be read, or is not the study's table.
    """
    path = path_of("path", path)
    return TableRun(path, load_study_table(path))
