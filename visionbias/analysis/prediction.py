# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How well a model's benchmarks follow from its biases, for models that the fit has not seen."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from visionbias.analysis.correlation import FEWEST_MODELS
from visionbias.analysis.tables import (
    CATEGORY,
    is_constant,
    number_columns,
    require_names,
    require_table,
    without_models,
)
from visionbias.errors import DataError

ALL = "all features"


def leave_one_out(
    table: pd.DataFrame,  # a row a model
    features: Sequence[str],
    targets: Sequence[str],
    *,
    clean: str | None = None,
    without: Collection[str] = (),
    category: str = CATEGORY,
) -> pd.DataFrame:
    """Leave-one-out R^2 of each target from each feature, from all features together, and from clean accuracy alone.

    Each model is predicted by ordinary least squares, with intercept, on all others. R^2 = 1 - sum of squared
    prediction errors / sum of squared errors of predicting each model by the mean of all others: 1 is exact, and 0 or
    less is no better than that mean.

    Args:
        table, without, category: as `correlate`.
        features, targets: columns; one does not predict itself, nor is it among "all features" for itself.
        clean: the column of clean accuracy.

    Returns a row a target and predictor, with the columns `target, predictor, r2, n`. `predictor` is a feature, "all
    features", or the name of the clean column. `n` is the number of models that have a finite value in all columns
    involved. R^2 is NaN with fewer than five of them, or fewer than two more than coefficients, with a constant target,
    without a varying predictor, or where one model alone determines a coefficient.

    Raises:
        DataError: as `correlate`.
    """
    table = require_table("leave_one_out", table)
    features, targets = (
        require_names("leave_one_out", argument, names)
        for argument, names in (("features", features), ("targets", targets))
    )
    if clean is not None and not isinstance(clean, str):
        raise DataError(f"leave_one_out: clean must be the name of one column, got {clean!r}")
    table = without_models("leave_one_out", table, without, category)
    values = number_columns("leave_one_out", table, [*features, *targets, *([] if clean is None else [clean])])
    rows = []
    for target in targets:
        others = [name for name in features if name != target]
        predictors = {name: [name] for name in others} | ({ALL: others} if len(others) > 1 else {})
        if clean is not None and clean != target:
            predictors[clean] = [clean]
        for predictor, names in predictors.items():
            r2, n = _r2(np.column_stack([values[name] for name in names]), values[target])
            rows.append((target, predictor, r2, n))
    return pd.DataFrame(rows, columns=["target", "predictor", "r2", "n"])


def _r2(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, int]:  # [M, P], [M]
    """Leave-one-out R^2 over the complete rows, and their number.

    With the hat matrix H = U U^T, U an orthonormal basis of intercept and predictors, the error for model i of the fit
    without it is (y_i - (H y)_i) / (1 - H_ii).
    """
    complete = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y = x[complete], y[complete]
    n = len(y)
    varying = [i for i in range(x.shape[1]) if not is_constant(x[:, i])]
    if n < max(FEWEST_MODELS, len(varying) + 3) or not varying or is_constant(y):
        return math.nan, n
    x, y = (v / np.abs(v).max(axis=0) for v in (x[:, varying], y))  # R^2 has no unit, and sums must not overflow
    x = x - x.mean(axis=0)
    x /= np.linalg.norm(x, axis=0)
    u, singular, _ = np.linalg.svd(x, full_matrices=False)
    u = u[:, singular > 1e-10 * singular[0]]
    leverage = 1.0 / n + np.square(u).sum(axis=1)
    if (leverage > 1.0 - 1e-10).any():
        return math.nan, n
    centered = y - y.mean()
    errors = (centered - u @ (u.T @ centered)) / (1.0 - leverage)
    by_mean = centered / (1.0 - 1.0 / n)
    return float(1.0 - np.square(errors).sum() / np.square(by_mean).sum()), n
