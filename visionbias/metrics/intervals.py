# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals: Wilson for one proportion, bootstrap over samples for what is computed from several."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError

Interval = tuple[float, float]

_AT_ONCE = 50  # resamples
_MOST_KEPT = 2**27  # bytes of one set of resamples


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson, JASA 1927). NaN for n = 0."""
    if not 0.0 < confidence < 1.0:
        raise ShapeError(f"wilson: confidence must be between 0 and 1, got {confidence}; try 0.95")
    if n == 0:
        return (float("nan"), float("nan"))
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def difference_intervals(
    shares: NDArray[np.float64],  # [...]
    others: NDArray[np.float64],  # [...]
    n: NDArray[np.int64],  # of images behind both, broadcast
    confidence: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the intervals of `shares - others`: Newcombe's, from Wilson's of both (Statistics in Medicine 1998).

    They are those of independent shares, so too wide for shares of the same images. NaN where a share is.
    """
    (low, high), (other_low, other_high) = (_wilson_ends(share, n, confidence) for share in (shares, others))
    difference = shares - others
    return (
        difference - np.hypot(shares - low, other_high - others),
        difference + np.hypot(high - shares, others - other_low),
    )


def _wilson_ends(
    shares: NDArray[np.float64], n: NDArray[np.int64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of `wilson` for many shares at once."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2 / n
    center = (shares + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (shares * (1 - shares) + z2 / 4)) / (1 + z2)
    return center - half, center + half


def mean_interval(
    values: Sequence[float],  # K
    intervals: Sequence[Interval],  # K
    families: Sequence[str],  # K: those of one family may be correlated, those of different ones are independent
) -> Interval:
    """Interval of the mean of K numbers from an interval of each: MOVER (Zou & Donner, Statistics in Medicine 2008).

    Distances to the ends add as squares between families, and as they are within one, which is never too narrow.
    """
    if not len(values) == len(intervals) == len(families) or not values:
        raise ShapeError(
            "mean_interval: wanted as many intervals and families as values, "
            f"got {len(values)}, {len(intervals)}, {len(families)}"
        )
    mean, k = sum(values) / len(values), len(values)
    below, above = dict.fromkeys(families, 0.0), dict.fromkeys(families, 0.0)
    for value, (low, high), family in zip(values, intervals, families, strict=True):
        below[family] += (value - low) / k
        above[family] += (high - value) / k
    return (mean - math.hypot(*below.values()), mean + math.hypot(*above.values()))


def bootstrap_accuracies(
    correct: NDArray[np.bool_ | np.float64],  # [N, F], N > 0: right or wrong, or the share that is right
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],  # accuracies [B, F] -> [B, T]
    *,
    blocks: Sequence[int],  # [F] of 0 ... G - 1: conditions of one block are right or wrong together in unseen samples
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> NDArray[np.float64]:  # [2, T]: lower and upper ends
    """Percentile bootstrap over samples of anything computed from the accuracies of aligned conditions.

    Samples are drawn once for all conditions, so their correlation is kept. Sums are of integers, hence exact, and the
    same seed gives the same bits on every machine, but where `correct` holds shares.

    A bootstrap draws only what was seen, and has no width where all samples agree. What was not seen in n samples may
    be as frequent as 1 - (tail probability)^(1/n), the limit of Clopper & Pearson (Biometrika 1934) for none of n: the
    "rule of three" of Hanley & Lippman-Hand (JAMA 1983). So the interval also covers the statistic of a population with
    that share of samples of another kind, of each kind that `blocks` tell apart.

    Both ends are NaN where the statistic is, in more than 1 - `confidence` of the resamples: the data do not determine
    it. Fewer of them are left out of the percentiles.
    """
    if resamples < 1 or not 0.0 < confidence < 1.0:
        raise ShapeError(
            f"bootstrap: wanted resamples of 1 or more, confidence in (0, 1), got {resamples}, {confidence}"
        )
    n = len(correct)
    # Whole numbers up to 2^24 are exact in float32, in which they are summed twice as fast.
    outcomes = correct.astype(np.float32 if correct.dtype == bool and n <= 2**24 else np.float64)
    kept = n * resamples <= _MOST_KEPT
    counts = _kept_counts(n, resamples, seed) if kept else _counts(n, resamples, seed)
    sums = np.concatenate([drawn.astype(outcomes.dtype) @ outcomes for drawn in counts])
    accuracies = sums.astype(np.float64) / n
    values = statistic(accuracies)
    tail = (1 - confidence) / 2
    unseen = np.array(list(product((0.0, 1.0), repeat=max(blocks) + 1)))[:, list(blocks)]  # [2^G, F]
    share = 1 - tail ** (1 / n)
    moved = statistic((1 - share) * correct.mean(axis=0) + share * unseen)
    ends = np.full((2, values.shape[1]), np.nan)
    for t, (drawn, other) in enumerate(zip(values.T, moved.T, strict=True)):
        finite = drawn[np.isfinite(drawn)]
        if len(finite) >= confidence * resamples:
            low, high = np.quantile(finite, [tail, 1 - tail])
            ends[:, t] = np.fmin.reduce([low, *other]), np.fmax.reduce([high, *other])
    return ends


def _counts(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """How often each of n samples is drawn in each resample, [up to _AT_ONCE, N] at a time.

    A sample is drawn once on average, and more than 255 times with a probability below 1e-500.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, resamples))
        yield np.stack([np.bincount(rng.integers(0, n, n), minlength=n).astype(np.uint8) for _ in rows])


@lru_cache(maxsize=2)
def _kept_counts(n: int, resamples: int, seed: int) -> tuple[NDArray[np.uint8], ...]:
    """The same for all models and probes of a study, which it would take longer to draw than to use."""
    return tuple(_counts(n, resamples, seed))
