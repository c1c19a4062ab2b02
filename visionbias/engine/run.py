# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Run`: a run folder, finished or not, and the numbers it holds. Needs neither models nor images."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbias.datasets.partial import PARTIAL
from visionbias.engine.arguments import folder_of, path_of
from visionbias.errors import RunError
from visionbias.probes.registry import Probe, make_probe
from visionbias.records.files import RECORDS
from visionbias.records.manifest import read_manifest
from visionbias.records.reader import IncompleteError, ModelRecords, measured_samples, open_records
from visionbias.records.samples import SampleTable
from visionbias.records.writer import count_rows
from visionbias.types import BadSample

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

    from visionbias.report.contents import Contents
    from visionbias.report.figures import Format

STUDY = "study:"  # before the names of the study's checkpoints


@dataclass(frozen=True)
class Run:
    """What a study measured so far."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def model_ids(self) -> list[str]:
        """The models, sorted."""
        return sorted(self.manifest["study"]["models"])

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes of the study."""
        return tuple(make_probe(config) for config in self.manifest["study"]["probes"])

    @property
    def biases(self) -> tuple[str, ...]:
        """Columns of the summary that say how a model sees."""
        return tuple(name for probe in self.probes for name in probe.biases)

    @property
    def benchmarks(self) -> dict[str, tuple[str, ...]]:
        """Group -> columns of the summary that say how well a model generalizes."""
        groups: dict[str, tuple[str, ...]] = {}
        for group, names in (item for probe in self.probes for item in probe.benchmarks.items()):
            groups[group] = (*groups.get(group, ()), *names)
        return groups

    @property
    def bad_samples(self) -> tuple[BadSample, ...]:
        """Images that could not be used and were left out, with the reason, over all data sets."""
        sets = self.manifest["data_sets"].values()
        return tuple(BadSample(**sample) for described in sets for sample in described["bad_samples"])

    @property
    def failures(self) -> dict[str, str]:
        """Models that failed in some session, with the last reason, even if a later session completed them."""
        reasons: dict[str, str] = {}
        for session in self.manifest["sessions"]:
            reasons |= session["failures"]
        return reasons

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said of the numbers wherever they are shown: which sets are not whole."""
        sets = self.manifest["data_sets"].items()
        return tuple(f"{name}: {described['n']:,} images" for name, described in sets if name.endswith(PARTIAL))

    def records(self) -> "ds.Dataset":
        """A pyarrow dataset, a row a (model, condition, sample): `sample_id, label, pred, in_top5, p_label, margin,
        decision16, model, condition`."""
        return open_records(self.folder / RECORDS)

    def summary(self) -> "pd.DataFrame":
        """A row a model, sorted by name: `model, status, n, bad, precision`, then the columns of every probe.

        Columns that end in `_low` and `_high` are the ends of the 95 % interval of the number before them.

        `status` is `complete`, `incomplete` (some records are still missing) or `failed`. Numbers of complete rows are
        the same to the bit whenever they are computed from the same records. Those of incomplete rows are of the
        images that the model has seen under every condition of their set, which follow each other in order of id and
        need not be like the others. Failed rows have none. `n` counts the samples of the study's data behind every
        number of a row (probes with images of their own have a count of their own), `bad` the images of all sets that
        were left out. `precision` is the type that the model ran in, as it is or, where
        `manifest["study"]["models"][model]["compiled"]` says so, as a compiled copy; `manifest["precision"]` says how
        copies compared with the model.

        Raises:
            RunError: a record file cannot be read.
        """
        import pandas as pd

        samples = self._samples()
        return pd.DataFrame([self._row(model, samples) for model in self.model_ids])

    def report(
        self,
        path: str | Path,
        *,
        columns: "str | Path | pd.DataFrame | None" = None,
        features: Sequence[str] = (),
        summary: "pd.DataFrame | None" = None,
    ) -> Path:
        """Write one HTML page with everything that the run shows, finished or not; it needs no network and no file.

        Args:
            path: the page, such as "report.html"; its folder is made.
            columns: a CSV file or a DataFrame with a column `model` and others, see `analysis.join_columns`: numbers of
                your own are benchmarks of the group "own", and `category` says of what kind each model is.
            features: names of those of the columns that are biases instead, such as "price".
            summary: of this run, where it is computed already.

        Raises:
            RunError: the page cannot be written, or a file of the run cannot be read.
            DataError: the columns do not fit the models, or a feature is none of them.
        """
        from visionbias.report.html import write_report

        return write_report(self._contents(columns, features, summary), path_of("path", path))

    def figures(
        self,
        folder: str | Path,
        *,
        format: "Format" = "svg",
        columns: "str | Path | pd.DataFrame | None" = None,
        features: Sequence[str] = (),
        summary: "pd.DataFrame | None" = None,
    ) -> list[Path]:
        """Write the figures of the report as files, such as `spectral.svg`, one of each pair of a bias and a benchmark,
        and return their paths. Needs Kaleido and Chrome or Chromium: `pip install 'visionbias[figures]'`.

        Args:
            folder: of the files; it is made.
            format: "svg" or "png".
            columns, features, summary: as of `report`.

        Raises:
            RunError: Kaleido or a browser is missing, the format is another, or a file cannot be written or read.
            DataError: the columns do not fit the models, or a feature is none of them.
        """
        from visionbias.report.figures import write_figures

        return write_figures(self._contents(columns, features, summary), path_of("folder", folder), format)

    def progress(self) -> tuple[int, int]:
        """Forward passes that are done, and how many there are to do in all.

        Raises:
            RunError: a record file cannot be read.
        """
        sets = self.manifest["data_sets"].values()
        conditions = [condition for described in sets for condition in described["conditions"]]
        total = len(self.model_ids) * sum(described["n"] * len(described["conditions"]) for described in sets)
        return count_rows(self.folder / RECORDS, self.model_ids, conditions), total

    def _contents(
        self,
        columns: "str | Path | pd.DataFrame | None",
        features: Sequence[str],
        summary: "pd.DataFrame | None",
    ) -> "Contents":
        """What a report shows."""
        from visionbias.analysis.own_columns import with_own_columns
        from visionbias.report.contents import Contents

        summary = self.summary() if summary is None else self._own(summary)
        summary, features, targets = with_own_columns(summary, columns, features)
        benchmarks = {**self.benchmarks, "own": (*self.benchmarks.get("own", ()), *targets)}
        there = {group: tuple(name for name in names if name in summary) for group, names in benchmarks.items()}
        status = dict(zip(summary["model"], summary["status"], strict=True))
        samples = self._samples()
        return Contents(
            folder=self.folder,
            manifest=self.manifest,
            summary=summary,
            probes=self.probes,
            records={
                model: self._records(model, samples) if state == "complete" else self._records_so_far(model)
                for model, state in status.items()
                if state != "failed"
            },
            progress=self.progress(),
            failures={model: self.failures[model] for model, state in status.items() if state == "failed"},
            biases=(*(name for name in self.biases if name in summary), *features),
            benchmarks={group: names for group, names in there.items() if names},
            categories=self._categories(summary),
        )

    def _own(self, summary: "pd.DataFrame") -> "pd.DataFrame":
        """A summary that was given, if it is of this run."""
        columns = getattr(summary, "columns", ())
        if {"model", "status", "n"} <= set(columns) and sorted(map(str, summary["model"])) == self.model_ids:
            return summary
        raise RunError(f"summary: wanted what run.summary() of {self.folder} gave, got another table; leave it out")

    def _categories(self, summary: "pd.DataFrame") -> dict[str, str]:
        """The kinds of the models that are known: from the user's column, and of the study's checkpoints."""
        from visionbias.analysis.tables import CATEGORY, model_categories

        if CATEGORY in summary:
            return model_categories(summary)
        sources = {model: str(described.get("source")) for model, described in self.manifest["study"]["models"].items()}
        names = {model: source.removeprefix(STUDY) for model, source in sources.items() if source.startswith(STUDY)}
        if not names:
            return {}
        from visionbias.models.study import MODELS

        return {model: MODELS[name].category for model, name in names.items() if name in MODELS}

    def _row(self, model: str, samples: Mapping[str, SampleTable]) -> dict[str, Any]:
        sets = self.manifest["data_sets"]
        row: dict[str, Any] = {
            "model": model,
            "status": "complete",
            "n": next(iter(sets.values()))["n"],
            "bad": sum(len(described["bad_samples"]) for described in sets.values()),
            "precision": self.manifest["study"]["models"][model].get("precision"),
        }
        records = self._records(model, samples)
        try:
            scores = [probe.score(records) for probe in self.probes]
        except IncompleteError:
            if model in self.failures:
                return row | {"status": "failed", "n": 0}
            return row | {"status": "incomplete"} | self._numbers_so_far(model)
        return self._combined(row | {name: value for columns in scores for name, value in columns.items()})

    def _numbers_so_far(self, model: str) -> dict[str, Any]:
        """`n` and the columns of the probes whose images the model has seen in part."""
        measured = self._measured(model)
        numbers: dict[str, Any] = {"n": len(next(iter(measured.values())))}
        records = self._records(model, self._samples(measured), more=True)
        for probe in self.probes:
            with suppress(IncompleteError):  # it shows images of which none is measured
                numbers |= probe.score(records)
        return self._combined(numbers)

    def _combined(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the columns that probes compute from those of all probes."""
        return row | {name: value for probe in self.probes for name, value in probe.combine(row).items()}

    def _records(self, model: str, samples: Mapping[str, SampleTable], *, more: bool = False) -> ModelRecords:
        return ModelRecords(self.folder / RECORDS, model, samples, self._sides(model), more=more)

    def _records_so_far(self, model: str) -> ModelRecords:
        """The records of the images that an incomplete model has seen under every condition."""
        return self._records(model, self._samples(self._measured(model)), more=True)

    def _measured(self, model: str) -> "dict[str, pa.Array[Any]]":
        """Data set -> ids of the samples that a model has seen under every condition."""
        return {
            name: measured_samples(self.folder / RECORDS, model, described["conditions"])
            for name, described in self.manifest["data_sets"].items()
        }

    def _sides(self, model: str) -> dict[str, int]:
        """Side of the crops that a model sees, for each condition."""
        return {
            condition: self.manifest["study"]["data"][name]["models"][model]["preprocessing"]["crop"]
            for name, described in self.manifest["data_sets"].items()
            for condition in described["conditions"]
        }

    def _samples(self, only: "Mapping[str, pa.Array[Any]] | None" = None) -> dict[str, SampleTable]:
        """What each condition shows; of the data sets in `only`, these sample ids."""
        only = only or {}
        return {
            condition: table
            for name, described in self.manifest["data_sets"].items()
            for table in [SampleTable(self.folder, name, described["classes"], only.get(name))]
            for condition in described["conditions"]
        }


def open_run(folder: str | Path) -> Run:
    """Open a run folder, on any machine.

    Raises:
        RunError: it is not a run folder.
    """
    folder = folder_of("folder", folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise RunError(f"{folder} holds no run; wanted the folder that Study.run wrote")
    return Run(folder, manifest)
