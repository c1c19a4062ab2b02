# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of all models."""

import math

import pandas as pd

from visionbias.analysis.tables import lower_is_better
from visionbias.report.blocks import Cell, Section, Table, caption, with_interval
from visionbias.report.contents import Contents


def summary_section(contents: Contents) -> Section:
    """A row a model: accuracies, biases and benchmarks with their intervals; curves and categories have figures."""
    summary = contents.summary
    named = {*contents.biases, *(name for names in contents.benchmarks.values() for name in names)}
    numbers = [name for name in map(str, summary.columns) if name in named or _has_interval(summary, name)]
    unfinished = (summary["status"] != "complete").any()
    columns = ["model", *(["status"] if unfinished else []), "n", *numbers]
    rows = []
    for row in summary.to_dict("records"):
        cells = [Cell(str(row["model"]))]
        cells += [Cell(str(row["status"]))] if unfinished else []
        cells.append(Cell(f"{row['n']:,}", value=float(row["n"])))
        cells += [
            with_interval(row[name], row.get(f"{name}_low", math.nan), row.get(f"{name}_high", math.nan))
            for name in numbers
        ]
        rows.append(cells)
    faults = [[name, fault] for name, fault in contents.faults.items()]
    errors = [name for name in numbers if lower_is_better(name)]
    lower = f" Of {', '.join(errors)} lower is better." if errors else ""
    words = caption("All models", contents.partial(*contents.manifest["data_sets"]))
    return Section(
        "summary",
        "Summary",
        "Each number with its 95 % interval; a dash is a number that the data do not determine. n counts the images of "
        "the study's data behind a row. Headings sort." + lower,
        [
            Table(words, columns, rows, sortable=True),
            *([Table("Known faults", ["column", "what is wrong"], faults)] if faults else []),
        ],
    )


def _has_interval(summary: pd.DataFrame, name: str) -> bool:
    return f"{name}_low" in summary and f"{name}_high" in summary
