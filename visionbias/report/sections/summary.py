# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of all models."""

from visionbias.report.blocks import Cell, Section, Table, with_interval
from visionbias.report.contents import Contents


def summary_section(contents: Contents) -> Section:
    """A row a model: each number with its interval where it has one; curves and categories have figures."""
    summary = contents.summary
    numbers = [str(name) for name in summary.columns if f"{name}_low" in summary and f"{name}_high" in summary]
    unfinished = (summary["status"] != "complete").any()
    columns = ["model", *(["status"] if unfinished else []), "n", *numbers]
    rows = []
    for row in summary.to_dict("records"):
        cells = [Cell(str(row["model"]))]
        cells += [Cell(str(row["status"]))] if unfinished else []
        cells.append(Cell(f"{row['n']:,}", value=float(row["n"])))
        cells += [with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in numbers]
        rows.append(cells)
    return Section(
        "summary",
        "Summary",
        "Each number with its 95 % interval; a dash is a number that the data do not determine. n counts the images of "
        "the study's data behind a row. Headings sort.",
        [Table("All models", columns, rows, sortable=True)],
    )
