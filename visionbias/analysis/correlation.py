# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Correlation of biases with benchmarks over models."""

import math
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from visionbias.analysis.resampling import COEFFICIENTS, bootstrap_weights, partial
from visionbias.analysis.tables import (
    CATEGORY,
    is_constant,
    number_columns,
    require_fraction,
    require_names,
    require_table,
    require_whole,
    without_models,
)
from visionbias.errors import DataError

_TESTS: dict[str, Callable[..., Any]] = {
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
    "pearson": stats.pearsonr,
}
METHODS = tuple(_TESTS)
PARTIAL = "partial_spearman"
COLUMNS = ("feature", "target", "method", "rho", "p", "p_adjusted", "low", "high", "n")
FEWEST_MODELS = 5  # from which a p-value and an interval are given
_MOST_RESAMPLES = 1_000_000  # each takes some ten bytes a model

Points = NDArray[np.float64]  # [n, 2], or [n, 3] where a third column is given


def correlate(
    table: pd.DataFrame,  # a row a model
    features: Sequence[str],
    targets: Sequence[str],
    *,
    methods: Collection[str] = METHODS,
    given: str | None = None,
    without: Collection[str] = (),
    category: str = CATEGORY,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """How each feature goes with each target over the models: a row a pair and method.

    Args:
        table: numbers with a row a model, such as `run.summary()`.
        features, targets: its columns; a column is not paired with itself.
        methods: of "spearman" (ties averaged), "kendall" (tau-b), "pearson".
        given: a column such as clean accuracy; adds rows of the method "partial_spearman", the rank correlation given
            the ranks of that column.
        without: kinds of models to leave out, values of the column `category`.
        resamples, confidence, seed: of the bootstrap.

    Returns the columns `feature, target, method, rho, p, p_adjusted, low, high, n`:
        rho: the coefficient of the method. Of a target that is better if lower, such as `imagenet_c_mce`, a positive
            one means that models with more of the feature generalize worse.
        p: two-sided, from SciPy. Those of Spearman and Pearson rest on a t distribution, which flatters strong
            correlations of fewer than about ten models.
        p_adjusted: p after Benjamini and Hochberg over all pairs of the method.
        low, high: percentile interval from resamples of the models. Resamples in which a column is constant are left
            out; where they are more than 1 - `confidence` of all, there is no interval. That of 1 or -1 has no width.
        n: models with a finite value in both columns (and in `given`). Others are left out of the pair.

    A pair of fewer than five models has no p and no interval; one of fewer than two, or with a constant column, no rho
    either. They are NaN, and `undetermined` says why. The order of the rows of `table` changes nothing.

    Raises:
        DataError: a column is absent or holds no numbers, a model has two rows, or an option is not as above.
    """
    table = require_table("correlate", table)
    features, targets = (
        require_names("correlate", argument, names)
        for argument, names in (("features", features), ("targets", targets))
    )
    _check_options(methods, given)
    require_whole("correlate", "resamples", resamples, 1, _MOST_RESAMPLES)
    require_fraction("correlate", "confidence", confidence)
    require_whole("correlate", "seed", seed, 0)
    table = without_models("correlate", table, without, category)
    values = number_columns("correlate", table, [*features, *targets, *([] if given is None else [given])])
    pairs = [(feature, target) for feature in features for target in targets if feature != target]
    if not pairs:
        raise DataError(
            f"correlate: no pair of different columns among features and targets, got {features[0]!r} twice"
        )
    rows = []
    for feature, target in pairs:
        pair = np.column_stack([values[feature], values[target]])
        for method in dict.fromkeys(methods):
            rows.append((feature, target, method, *_row(method, pair, resamples, confidence, seed)))
        if given is not None:
            three = np.column_stack([pair, values[given]])
            rows.append((feature, target, PARTIAL, *_row(PARTIAL, three, resamples, confidence, seed)))
    frame = pd.DataFrame(rows, columns=["feature", "target", "method", "rho", "p", "low", "high", "n"])
    frame["p_adjusted"] = frame.groupby("method")["p"].transform(_adjusted)
    return frame[list(COLUMNS)]


def undetermined(correlations: pd.DataFrame) -> pd.Series:
    """Why a row of `correlate` lacks numbers, as text; empty where it lacks none.

    Raises:
        DataError: the frame is none of `correlate`.
    """
    require_correlations("undetermined", "correlations", correlations)
    return pd.Series(
        [_reason(*row) for row in correlations[["method", "rho", "low", "n"]].itertuples(index=False)],
        index=correlations.index,
        dtype=object,
    )


def require_correlations(function: str, argument: str, frame: object) -> pd.DataFrame:
    """The frame, if it has the columns of `correlate`.

    Raises:
        DataError: it has not, or is none.
    """
    if not isinstance(frame, pd.DataFrame) or not {*COLUMNS} <= {*frame.columns}:
        raise DataError(f"{function}: {argument} must be what correlate returns, got {type(frame).__name__}")
    return frame


def _reason(method: str, rho: float, low: float, n: int) -> str:
    if n < 2:
        return f"n = {n}; a correlation needs two models"
    if math.isnan(rho):
        return "a column is constant" + (", or follows the given one exactly" if method == PARTIAL else "")
    if n < FEWEST_MODELS:
        return f"n = {n}; p and interval need {FEWEST_MODELS} models"
    return "too many resamples are constant for an interval" if math.isnan(low) else ""


def _row(
    method: str, points: Points, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float, float, int]:
    """rho, p, low, high and n."""
    points = points[np.isfinite(points).all(axis=1)]
    points = points[np.lexsort(points.T)]  # the same bits whatever the order of the models
    n, columns = len(points), [np.ascontiguousarray(column) for column in points.T]
    if n < 2 or any(map(is_constant, columns)):
        return math.nan, math.nan, math.nan, math.nan, n
    rho, p = _partial_spearman(*columns) if method == PARTIAL else _scipy(method, *columns)
    if n < FEWEST_MODELS or math.isnan(rho):
        return rho, math.nan, math.nan, math.nan, n
    drawn = COEFFICIENTS[method](*columns, bootstrap_weights(n, resamples, seed))
    known = drawn[np.isfinite(drawn)]
    if len(known) < confidence * resamples:
        return rho, p, math.nan, math.nan, n
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return rho, p, float(low), float(high), n


def _scipy(method: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        result = _TESTS[method](x, y)
    return float(result.statistic), float(result.pvalue)


def _partial_spearman(*columns: NDArray[np.float64]) -> tuple[float, float]:
    """Of the first two given the third; p from Student's t with n - 3 degrees of freedom."""
    n = len(columns[0])
    ranks = np.corrcoef([stats.rankdata(column) for column in columns])
    rho = float(partial(ranks[0, 1:2], ranks[0, 2:], ranks[1, 2:])[0])
    if n <= 3 or math.isnan(rho):
        return rho, math.nan
    with np.errstate(divide="ignore"):
        t = abs(rho) * np.sqrt((n - 3) / np.float64(1.0 - rho**2))
    return rho, float(2.0 * stats.t.sf(t, n - 3))


def _adjusted(p: pd.Series) -> pd.Series:
    """Benjamini-Hochberg over what is known."""
    known = p.notna()
    adjusted = p.copy()
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known])
    return adjusted


def _check_options(methods: object, given: object) -> None:
    listed = list(methods) if isinstance(methods, Collection) and not isinstance(methods, str) else []
    if not listed or any(method not in METHODS for method in listed):
        raise DataError(f"correlate: methods must be a list of {', '.join(METHODS)}, got {methods!r:.80}")
    if given is not None and not isinstance(given, str):
        raise DataError(f"correlate: given must be the name of one column, got {given!r:.80}")
