# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A user's own numbers of the models, such as a KPI or a price, beside what was measured."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from visionbias.analysis.tables import (
    CATEGORY,
    MODEL,
    model_names,
    number_columns,
    read_table,
    require_names,
    require_table,
)
from visionbias.errors import DataError

_NAMED = 10  # models listed in an error


def join_columns(table: pd.DataFrame, columns: str | Path | pd.DataFrame) -> pd.DataFrame:
    """The table with further columns, matched by the models' names.

    Args:
        table: a row a model, such as `run.summary()`.
        columns: a CSV file in UTF-8, or a DataFrame, with a column `model` and one or more others. It names the models
            of `table`, each once, in any order; what is not known of a model is left empty. Where it names all of
            them, rows of other models are left out, with a warning.

    Raises:
        DataError: the file cannot be read or has no column `model`, a model of the table is missing (all that do not
            match are named, of both sides), a model stands twice, or a column is in the table already.
    """
    table = require_table("join_columns", table)
    own = columns if isinstance(columns, pd.DataFrame) else read_table(columns)
    own = own.set_axis([str(name) for name in own.columns], axis="columns")  # years, of a pivot table
    source = "the columns" if isinstance(columns, pd.DataFrame) else str(columns)
    if MODEL not in own:
        raise DataError(f"{source}: wanted a column {MODEL!r} with the models' names, got {', '.join(map(str, own))}")
    own = require_table(source, own)
    wanted, found = model_names(table), model_names(own)
    others, missing = set(found) - set(wanted), set(wanted) - set(found)
    if missing:
        strange = f"; {_listed('not in the table', others)}" if others else ""
        raise DataError(
            f"{source}: its models are not those of the table: {_listed('missing here', missing)}{strange}; spell the "
            "names as the table does, and leave the cells of models without a number empty"
        )
    if others:
        warnings.warn(f"{source}: rows left out: {_listed('not in the table', others)}", stacklevel=2)
    if len(own.columns) < 2:
        raise DataError(f"{source}: wanted one column or more beside {MODEL!r}")
    if taken := [str(name) for name in own if name != MODEL and name in table]:
        raise DataError(f"{source}: the table has the columns {', '.join(taken)} already; give them other names")
    aligned = own.drop(columns=MODEL).set_axis(found, axis="index").loc[wanted]
    return pd.concat([table, aligned.set_axis(table.index, axis="index")], axis="columns")


def with_own_columns(
    summary: pd.DataFrame,
    columns: str | Path | pd.DataFrame | None,
    features: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """What a report shows: the summary with further columns, if any; those of them that are features; and the others,
    which are targets.

    Raises:
        DataError: see `join_columns`; or a column holds no numbers, or a feature is none of them.
    """
    own: list[str] = []
    if columns is not None:
        joined = join_columns(summary, columns)
        added = [str(name) for name in joined.columns.difference(summary.columns, sort=False) if name != CATEGORY]
        summary = joined.assign(**number_columns("report", joined, added))
        ends = {f"{name}{end}" for name in added for end in ("_low", "_high")}  # of intervals
        own = [name for name in added if name not in ends]
    named = [] if isinstance(features, Sequence) and not features else require_names("report", "features", features)
    if strange := [name for name in named if name not in own]:
        raise DataError(
            f"report: features must be names of numbers in columns=, got {', '.join(strange)}; there are "
            f"{', '.join(own) or 'none'}"
        )
    return summary, named, [name for name in own if name not in named]


def _listed(where: str, names: set[str]) -> str:
    return f"{len(names)} {where}: {', '.join(sorted(names)[:_NAMED])}{' ...' if len(names) > _NAMED else ''}"
