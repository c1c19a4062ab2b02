# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Correlation coefficients of many bootstrap resamples at once.

A resample is how often it drew each of the n models: weights w [B, n] that sum to n. With the signs
s_ij = sign(x_i - x_j), every coefficient is a product of matrices, ties included:

- ranks: r_i = sum_j w_j s_ij is twice the average rank of model i within the resample, less a constant, and its
  weighted mean is zero. Spearman's rho is the weighted cosine of the r of x and y.
- Kendall's tau-b is sum_ij w_i w_j s_ij t_ij over the root of the same sums of s_ij^2 and of t_ij^2.

Those are sums of whole numbers, hence exact.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bootstrap_weights(n: int, resamples: int, seed: int) -> Array:  # [B, n]
    """How often each resample draws each model; the same for the same arguments on every machine."""
    drawn = np.random.default_rng(seed).integers(0, n, (resamples, n))
    cells = drawn + n * np.arange(resamples)[:, None]
    return np.bincount(cells.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def pearson(x: Array, y: Array, weights: Array) -> Array:  # [n], [n], [B, n] -> [B]
    """Pearson's r of each resample; NaN where x or y is constant in it."""
    x, y = (v / np.abs(v).max() for v in (x - x.mean(), y - y.mean()))
    dx, dy = (v - (weights @ v / len(v))[:, None] for v in (x, y))
    return _cosine(dx, dy, weights, _differing(signs(x), weights) * _differing(signs(y), weights) > 0)


def spearman(x: Array, y: Array, weights: Array) -> Array:  # [n], [n], [B, n] -> [B]
    """Spearman's rho of each resample, ties averaged; NaN where x or y is constant in it."""
    s, t = signs(x), signs(y)
    return _cosine(weights @ s.T, weights @ t.T, weights, _differing(s, weights) * _differing(t, weights) > 0)


def kendall(x: Array, y: Array, weights: Array) -> Array:  # [n], [n], [B, n] -> [B]
    """Kendall's tau-b of each resample; NaN where x or y is constant in it."""
    s, t = signs(x), signs(y)
    norms = _differing(s, weights) * _differing(t, weights)
    return _ratio(((weights @ (s * t)) * weights).sum(axis=1), np.sqrt(norms), norms > 0)


def partial_spearman(x: Array, y: Array, z: Array, weights: Array) -> Array:  # [n] each, [B, n] -> [B]
    """Spearman's rho of x and y given z; NaN where it is not determined."""
    return partial(spearman(x, y, weights), spearman(x, z, weights), spearman(y, z, weights))


def partial(xy: Array, xz: Array, yz: Array) -> Array:  # [B] each
    """The correlation of x and y given z, from the three between them; NaN where x or y follows z exactly."""
    left = (1.0 - xz**2) * (1.0 - yz**2)
    return np.clip(_ratio(xy - xz * yz, np.sqrt(np.maximum(left, 0.0)), left > 1e-12), -1.0, 1.0)


COEFFICIENTS: dict[str, Callable[..., Array]] = {
    "spearman": spearman,
    "kendall": kendall,
    "pearson": pearson,
    "partial_spearman": partial_spearman,
}


def signs(x: Array) -> Array:  # [n] -> [n, n]
    """1 where x_i > x_j, -1 where it is smaller, else 0."""
    return np.asarray(np.sign(x[:, None] - x[None, :]))


def _differing(s: Array, weights: Array) -> Array:  # [n, n], [B, n] -> [B]
    """Number of ordered pairs in a resample whose values differ."""
    return np.asarray(((weights @ np.abs(s)) * weights).sum(axis=1))


def _cosine(a: Array, b: Array, weights: Array, defined: NDArray[np.bool_]) -> Array:  # [B, n] each, [B] -> [B]
    ab, aa, bb = ((weights * p * q).sum(axis=1) for p, q in ((a, b), (a, a), (b, b)))
    return np.clip(_ratio(ab, np.sqrt(aa) * np.sqrt(bb), defined), -1.0, 1.0)


def _ratio(numerator: Array, denominator: Array, defined: NDArray[np.bool_]) -> Array:
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=defined)
    return ratio
