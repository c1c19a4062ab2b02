# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A user's own numbers of the models, such as a KPI or a price, beside what was measured."""

from io import StringIO
from pathlib import Path

import pandas as pd

from visionbias.analysis.tables import MODEL, model_names, require_table
from visionbias.errors import DataError

_NAMED = 10  # models listed in an error


def join_columns(table: pd.DataFrame, columns: str | Path | pd.DataFrame) -> pd.DataFrame:
    """The table with further columns, matched by the models' names.

    Args:
        table: a row a model, such as `run.summary()`.
        columns: a CSV file in UTF-8, or a DataFrame, with a column `model` and one or more others. It names the models
            of `table`, each once, in any order; what is not known of a model is left empty.

    Raises:
        DataError: the file cannot be read or has no column `model`, models do not match (all are named, of both sides),
            a model stands twice, or a column is in the table already.
    """
    table = require_table("join_columns", table)
    own = columns if isinstance(columns, pd.DataFrame) else read_table(columns)
    own = own.set_axis([str(name) for name in own.columns], axis="columns")  # years, of a pivot table
    source = "the columns" if isinstance(columns, pd.DataFrame) else str(columns)
    if MODEL not in own:
        raise DataError(f"{source}: wanted a column {MODEL!r} with the models' names, got {', '.join(map(str, own))}")
    own = require_table(source, own)
    wanted, found = model_names(table), model_names(own)
    if faults := [
        *_unmatched("not in the table", set(found) - set(wanted)),
        *_unmatched("missing here", set(wanted) - set(found)),
    ]:
        raise DataError(
            f"{source}: its models are not those of the table: {'; '.join(faults)}; spell the names as the table does, "
            "drop the rows of others, and leave the cells of models without a number empty"
        )
    if len(own.columns) < 2:
        raise DataError(f"{source}: wanted one column or more beside {MODEL!r}")
    if taken := [str(name) for name in own if name != MODEL and name in table]:
        raise DataError(f"{source}: the table has the columns {', '.join(taken)} already; give them other names")
    aligned = own.drop(columns=MODEL).set_axis(found, axis="index").loc[wanted]
    return pd.concat([table, aligned.set_axis(table.index, axis="index")], axis="columns")


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file with a row a model; names of models are text, also where they look like numbers or NA.

    Raises:
        DataError: it cannot be read, or two columns have one name, or one has none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        header = pd.read_csv(StringIO(text), header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
        table = pd.read_csv(StringIO(text))
        if MODEL in table:
            table[MODEL] = pd.read_csv(StringIO(text), usecols=[MODEL], dtype=str, keep_default_na=False)[MODEL]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"cannot read the table {path}: {error}; wanted a CSV file in UTF-8") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for names of rows
        raise DataError(f"{path}: wanted as many fields in every row as columns, got more; end no line in a comma")
    if header.duplicated().any() or (header == "").any():
        raise DataError(
            f"{path}: wanted a name of its own for every column, got {','.join(header)}; rename or drop columns, and "
            "end no line in a comma"
        )
    return table


def _unmatched(where: str, names: set[str]) -> list[str]:
    if not names:
        return []
    listed = ", ".join(sorted(names)[:_NAMED])
    return [f"{len(names)} {where}: {listed}{' ...' if len(names) > _NAMED else ''}"]
