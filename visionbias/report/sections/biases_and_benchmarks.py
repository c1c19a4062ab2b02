# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a bias explains a benchmark: scatter plots, correlations, predictions, and the verdict."""

from collections import Counter
from functools import cached_property
from math import isfinite

import numpy as np
import pandas as pd

from visionbias.analysis.correlation import FEWEST_MODELS, correlate, undetermined
from visionbias.analysis.prediction import leave_one_out
from visionbias.analysis.tables import CATEGORY, lower_is_better
from visionbias.analysis.verdict import verdict
from visionbias.report.blocks import Cell, Figure, Json, Section, Sentences, Table, caption, number
from visionbias.report.contents import Contents
from visionbias.report.style import DIVERGING, color_axis, marker, stamp, stamped, text


class BiasesAndBenchmarks:
    """The sections on biases and benchmarks; both, and two models, are needed for any."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._table = contents.summary[contents.summary["status"] != "failed"]
        self._biases = contents.biases
        self._clean = contents.clean if contents.clean in self._table else None
        self._benchmarks = tuple(name for names in contents.benchmarks.values() for name in names)
        errors = [name for name in self._benchmarks if lower_is_better(name)]
        self._lower = (
            f" Of {', '.join(errors)} lower is better: a positive ρ is worse generalization." if errors else ""
        )

    def sections(self) -> list[Section]:
        """Scatter, correlations and verdict, or one sentence on what is missing."""
        missing = [
            name
            for name, there in (
                ("a probe of a bias", self._biases),
                ("a benchmark", self._benchmarks),
                (f"two models with numbers ({FEWEST_MODELS} for p and intervals)", len(self._table) > 1),
            )
            if not there
        ]
        if missing:
            lead = f"Whether a bias goes with a benchmark needs {', '.join(missing)}, which this run lacks."
            return [Section("generalization", "Biases and benchmarks", lead)]
        return [self._scatter(), self._correlations(), self._verdict()]

    @cached_property
    def _found(self) -> pd.DataFrame:
        return correlate(
            self._table,
            self._biases,
            self._benchmarks,
            methods=["spearman"],
            given=self._clean,
        )

    @cached_property
    def _spearman(self) -> pd.DataFrame:
        rows = self._found[self._found["method"] == "spearman"]
        return rows.assign(why=undetermined(rows)).set_index(["feature", "target"])

    def _scatter(self) -> Section:
        models = [str(name) for name in self._table["model"]]
        kinds = [self._contents.categories.get(model, "") for model in models]
        named = sorted(set(kinds))
        traces: list[Json] = []
        for i, kind in enumerate(named):
            rows = [row for row, own in enumerate(kinds) if own == kind]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers+text" if len(models) <= 12 else "markers",
                    "name": text(kind or "other"),
                    "showlegend": len(named) > 1,
                    "text": [text(models[row]) for row in rows],
                    "textposition": "top center",
                    "cliponaxis": False,
                    "meta": rows,
                    "marker": marker(i) | {"size": 11},
                }
            )
        names = (*self._biases, *self._benchmarks)
        axes = {
            "x": {"label": "Bias", "names": list(self._biases)},
            "y": {"label": "Benchmark", "names": list(self._benchmarks)},
            "columns": {name: self._column(name) for name in names},
            "low": {name: self._column(f"{name}_low") for name in names if f"{name}_low" in self._table},
            "high": {name: self._column(f"{name}_high") for name in names if f"{name}_high" in self._table},
            "stamps": {name: stamp(self._partial(name)) for name in names if self._partial(name)},
            "titles": {
                benchmark: {bias: self._title(bias, benchmark) for bias in self._biases}
                for benchmark in self._benchmarks
            },
        }
        rows_of_table = [
            [Cell(model), *(number(value) for value in self._table[list(names)].iloc[row].astype(float))]
            for row, model in enumerate(models)
        ]
        figure = Figure(
            "scatter",
            "A benchmark against a bias, a marker a model, with 95 % intervals.",
            {"": {"data": traces}},
            {"height": 540, "xaxis": {"zeroline": False}, "yaxis": {"zeroline": False}, "margin": {"t": 80}},
            {"height": 460, "margin": {"t": 100}},
            axes=axes,
            table=Table(
                caption("Biases and benchmarks", self._partial(*names)), ["model", *names], rows_of_table, sortable=True
            ),
        )
        lead = (
            "ρ is Spearman's rank correlation over the models, with a 95 % bootstrap interval; p is adjusted for the "
            "number of pairs (Benjamini and Hochberg)." + self._lower
        )
        return Section("scatter", "Bias and benchmark", lead, [figure])

    def _partial(self, *columns: str) -> list[str]:
        """What is partial in these columns."""
        return self._contents.partial(*self._contents.sets_of(columns))

    def _column(self, name: str) -> list[float | None]:
        return [value if isfinite(value) else None for value in self._table[name].astype(float).tolist()]

    def _title(self, bias: str, benchmark: str) -> str:
        """Such as "ρ = −0.41 [−0.83, 0.32], p = 0.24, n = 10"."""
        rows = self._spearman.loc[self._spearman.index == (bias, benchmark)].to_dict("records")
        if not rows:  # a column and itself
            return ""
        (row,) = rows
        if not isfinite(row["rho"]):
            return text(f"no ρ: {row['why']}")
        interval = f"[{row['low']:.2f}, {row['high']:.2f}]" if isfinite(row["low"]) else f"({row['why']})"
        p = f", p = {row['p_adjusted']:.2g}" if isfinite(row["p_adjusted"]) else ""
        return text(f"ρ = {row['rho']:z.2f} {interval}{p}, n = {row['n']}".replace("-", "−"))

    def _correlations(self) -> Section:
        grid = self._spearman["rho"].unstack("target").loc[list(self._biases), list(self._benchmarks)]
        sure = self._spearman["p_adjusted"].unstack("target").loc[grid.index, grid.columns] < 0.05
        shown = [
            [f"{rho:z.2f}{'*' if star else ''}" if isfinite(rho) else "–" for rho, star in zip(*rows, strict=True)]
            for rows in zip(grid.to_numpy(), sure.to_numpy(), strict=True)
        ]
        heat: Json = {
            "type": "heatmap",
            "x": list(map(text, grid.columns)),
            "y": list(map(text, grid.index)),
            "z": np.where(np.isfinite(grid), grid, np.nan).tolist(),
            "text": shown,
            "texttemplate": "%{text}",
            "coloraxis": "coloraxis",
            "hovertemplate": "%{y}, %{x}: ρ = %{text}<extra></extra>",
            "xgap": 2,
            "ygap": 2,
        }
        names: Json = {"type": "category", "dtick": 1, "showgrid": False}
        figure = Figure(
            "correlations",
            "Spearman's ρ of each bias and benchmark; * adjusted p below 0.05.",
            {"": {"data": [heat]}},
            stamped(
                {
                    "height": 170 + 34 * len(grid),
                    "xaxis": {**names, "tickangle": -45 if len(grid.columns) > 4 else 0},
                    "yaxis": {**names, "autorange": "reversed"},
                    "coloraxis": color_axis(-1.0, 1.0, DIVERGING, "ρ"),
                },
                self._partial(*self._biases, *self._benchmarks),
            ),
            {"coloraxis": {"showscale": False}},
            table=self._table_of(self._found),
        )
        return Section(
            "correlations",
            "Correlations",
            "Blue: models with more of the bias have a higher benchmark; orange: a lower one. In the table, "
            "partial_spearman is the correlation of what the ranks of clean accuracy do not explain." + self._lower,
            [figure, self._predictions()],
        )

    def _table_of(self, found: pd.DataFrame) -> Table:
        rows = [
            [
                *(Cell(row[name]) for name in ("feature", "target", "method")),
                number(row["rho"])._replace(
                    note=f"[{row['low']:.3f}, {row['high']:.3f}]" if isfinite(row["low"]) else why
                ),
                number(row["p"], 4),
                number(row["p_adjusted"], 4),
                Cell(str(row["n"]), value=float(row["n"])),
            ]
            for row, why in zip(found.to_dict("records"), undetermined(found), strict=True)
        ]
        columns = ["bias", "benchmark", "method", "rho", "p", "p_adjusted", "n"]
        words = caption("Correlations over models", self._partial(*self._biases, *self._benchmarks))
        return Table(words, columns, rows, sortable=True)

    def _predictions(self) -> Table:
        found = leave_one_out(self._table, self._biases, self._benchmarks, clean=self._clean)
        grid = found.pivot(index="predictor", columns="target", values="r2")
        order = list(dict.fromkeys(found["predictor"]))
        grid = grid.loc[order, [name for name in self._benchmarks if name in grid.columns]]
        rows = [
            [Cell(str(name)), *map(number, values)] for name, values in zip(grid.index, grid.to_numpy(), strict=True)
        ]
        words = (
            "R² of each benchmark, of each model from the others: 1 is exact, 0 or less no better than their mean, a "
            f"dash wants more models (at least {FEWEST_MODELS}, and three more than biases) or more difference"
        )
        return Table(
            caption(words, self._partial(*self._biases, *self._benchmarks)), ["from", *map(str, grid.columns)], rows
        )

    @cached_property
    def _without_a_kind(self) -> dict[str, pd.DataFrame]:
        """The correlations without the models of each category, if enough are left."""
        categories = self._contents.categories
        table = self._table.assign(**{CATEGORY: self._table["model"].map(categories)})
        return {
            f"without {kind}": correlate(table, self._biases, self._benchmarks, methods=["spearman"], without=[kind])
            for kind, n in Counter(categories[model] for model in table["model"] if model in categories).items()
            if len(table) - n >= FEWEST_MODELS
        }

    def _verdict(self) -> Section:
        found = verdict(self._found, self._contents.benchmarks, checks=self._without_a_kind)
        groups = "; ".join(f"{group}: {', '.join(names)}" for group, names in self._contents.benchmarks.items())
        return Section(
            "verdict",
            "Verdict",
            "A bias predicts a group of benchmarks if, in each of them, the adjusted p is below 0.05, the interval "
            f"excludes 0, and the sign is the same. The groups are {groups}. A sign that changes without the models of "
            "one category is told." + self._lower,
            [Sentences(found.sentences)],
        )
