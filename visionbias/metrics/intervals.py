# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals: Wilson for one proportion, bootstrap over samples for what is computed from several."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError

Interval = tuple[float, float]


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson, JASA 1927). NaN for n = 0."""
    if not 0.0 < confidence < 1.0:
        raise ShapeError(f"wilson: confidence must be between 0 and 1, got {confidence}; try 0.95")
    if n == 0:
        return (float("nan"), float("nan"))
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def bootstrap_accuracies(
    correct: NDArray[np.bool_],  # [N, F]
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],  # accuracies [B, F] -> [B, T]
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> NDArray[np.float64]:  # [2, T]: lower and upper ends
    """Percentile bootstrap over samples of anything computed from the accuracies of aligned conditions.

    Samples are drawn once for all conditions, so their correlation is kept. Sums are of integers, hence exact, and the
    same seed gives the same bits on every machine. Resamples whose statistic is NaN are left out of its percentiles.
    """
    if resamples < 1 or not 0.0 < confidence < 1.0:
        raise ShapeError(
            f"bootstrap: wanted resamples of 1 or more, confidence in (0, 1), got {resamples}, {confidence}"
        )
    n = len(correct)
    rng = np.random.default_rng(seed)
    outcomes = correct.astype(np.float64)
    accuracies = np.empty((resamples, correct.shape[1]))
    for b in range(resamples):
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        accuracies[b] = weights @ outcomes / n
    values = statistic(accuracies)
    tail = (1 - confidence) / 2
    ends = np.full((2, values.shape[1]), np.nan)
    for t in range(values.shape[1]):
        finite = values[np.isfinite(values[:, t]), t]
        if len(finite):
            ends[:, t] = np.quantile(finite, [tail, 1 - tail])
    return ends
