# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How a table with a row a model is read, and what the analyses demand of it."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from io import StringIO
from numbers import Integral, Real
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from visionbias.datasets.benchmarks import PARTIAL
from visionbias.errors import DataError
from visionbias.metrics.corruptions import MCE

MODEL = "model"  # column of names; a table without it is named by its index
CATEGORY = "category"  # column of the kinds of models


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file with a row a model; names of models and categories are text, also where they look like numbers.

    Raises:
        DataError: it cannot be read, or two columns have one name, or one has none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        header = pd.read_csv(StringIO(text), header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
        table = pd.read_csv(StringIO(text))
        named = [name for name in (MODEL, CATEGORY) if name in table]
        if named:
            table[named] = pd.read_csv(StringIO(text), usecols=named, dtype=str, keep_default_na=False)[named]
        if CATEGORY in table:
            table[CATEGORY] = table[CATEGORY].replace("", None)
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


def require_table(function: str, table: object) -> pd.DataFrame:
    """The table, if it has a row a model and its columns have names of their own.

    Raises:
        DataError: it is no DataFrame, or a column or a model stands twice.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"{function}: wanted a DataFrame with a row a model, such as run.summary(), got {type(table).__name__}"
        )
    if twice := _twice(table.columns):
        raise DataError(f"{function}: the table has the columns {', '.join(twice)} twice; rename or drop one of each")
    if twice := _twice(model_names(table)):
        raise DataError(f"{function}: the models {', '.join(twice)} have two rows or more; keep one row a model")
    if not all(name.strip() for name in model_names(table)):
        raise DataError(f"{function}: a row has no model's name; name it, or remove the row")
    return table


def model_names(table: pd.DataFrame) -> list[str]:
    """The models [M], from the column `model`, or from the index where there is none."""
    return [str(name) for name in table.get(MODEL, table.index)]


def model_categories(table: pd.DataFrame) -> dict[str, str]:
    """Model -> kind, of those for which the column `category` tells it."""
    if CATEGORY not in table:
        return {}
    known = table[table[CATEGORY].notna()]
    return {str(model): str(kind) for model, kind in zip(known[MODEL], known[CATEGORY], strict=True)}


def require_names(function: str, argument: str, names: object) -> list[str]:
    """A list of names, each once.

    Raises:
        DataError: it is none, or empty.
    """
    listed = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else None
    if not listed or not all(isinstance(name, str) for name in listed):
        raise DataError(f"{function}: {argument} must be a list of names, got {names!r:.80}")
    return list(dict.fromkeys(listed))


def require_fraction(function: str, argument: str, value: object) -> None:
    """Refuse what is no number between 0 and 1, both excluded.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, Real) or not 0.0 < float(value) < 1.0:
        raise DataError(f"{function}: {argument} must be between 0 and 1, got {value!r:.80}")


def is_whole(value: object, at_least: int) -> TypeGuard[int]:
    """Whether it is a whole number from `at_least` on, of Python or NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least


def require_whole(function: str, argument: str, value: object, at_least: int, at_most: int | None = None) -> None:
    """Refuse what is no whole number from `at_least` on, up to `at_most`.

    Raises:
        DataError: it is none.
    """
    if not is_whole(value, at_least) or (at_most is not None and value > at_most):
        limit = "or more" if at_most is None else f"to {at_most:,}"
        raise DataError(f"{function}: {argument} must be a whole number of {at_least} {limit}, got {value!r:.80}")


def require_mapping(function: str, argument: str, value: object) -> None:
    """Refuse what gives no things by name.

    Raises:
        DataError: it does not.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{function}: {argument} must be a dict by name, got {value!r:.80}")


def number_columns(function: str, table: pd.DataFrame, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The named columns [M] as numbers; what is missing is NaN.

    Raises:
        DataError: a column is absent, or holds something else than numbers.
    """
    if absent := [name for name in names if name not in table]:
        has = ", ".join(map(str, table.columns))
        raise DataError(f"{function}: the table has no column {', '.join(absent)}; it has {has}")
    return {name: _numbers(function, table, name) for name in names}


def without_models(function: str, table: pd.DataFrame, without: object, category: str) -> pd.DataFrame:
    """The rows whose `category` is none of `without`.

    Raises:
        DataError: there is no such column, or no model of a category.
    """
    if isinstance(without, Collection) and not isinstance(without, str) and not len(without):
        return table
    left_out = require_names(function, "without", without)
    if category not in table:
        raise DataError(
            f"{function}: without={left_out} needs a column {category!r} that says of what kind each model is; "
            "join one, or name it with category="
        )
    kinds = table[category].map(str, na_action="ignore")  # a column may hold numbers
    known = list(kinds.dropna().unique())
    if unknown := [name for name in left_out if name not in known]:
        raise DataError(f"{function}: no model is of the kind {', '.join(unknown)}; there are {', '.join(known)}")
    return table[~kinds.isin(left_out)]


def lower_is_better(column: str) -> bool:
    """Whether a column counts errors: mCE, also of a part of the set. All others are taken to be better if higher."""
    return column.removesuffix(PARTIAL) == MCE


def is_constant(values: NDArray[np.float64]) -> bool:  # [M]
    """Whether the values are one value up to rounding."""
    return len(values) == 0 or bool(np.ptp(values) <= 1e-13 * np.abs(values).max())


def _numbers(function: str, table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    column = table[name]
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array([_number(function, name, value) for value in column], dtype=np.float64)


def _number(function: str, name: str, value: object) -> float:
    if value is None or value is pd.NA or value is pd.NaT:
        return math.nan
    try:
        if isinstance(value, (str, Real, Decimal)):
            return float(value)
    except (ValueError, OverflowError):  # text, or a whole number that no float holds
        pass
    raise DataError(
        f"{function}: column {name!r} must hold numbers, got {value!r:.80}; leave what is missing empty, and write "
        "decimals with a point"
    )


def _twice(names: Iterable[object]) -> list[str]:
    index = pd.Index([str(name) for name in names])
    return list(index[index.duplicated()].unique())
