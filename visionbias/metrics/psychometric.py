# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Noise thresholds between the levels that were shown, and the channel through them, with intervals.

The published thresholds count levels, so they know a factor of two. Here accuracy is linear in the logarithm of the
noise between levels, and thresholds keep the published scale: octaves below the strongest noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans
from visionbias.metrics.channel import (
    OCTAVE_ZERO_CPI,
    WIDTH,
    Channel,
    Criterion,
    criterion_of,
    fit_channel,
    frequency,
    strongest_first,
)
from visionbias.metrics.intervals import Interval, bootstrap_accuracies


@dataclass(frozen=True)
class PsychometricFit:
    """Continuous thresholds and the channel through them, with intervals, see `bootstrap_accuracies`.

    What the data do not determine is NaN, with its interval; `identifiable` says whether they determine the channel.
    """

    thresholds: NDArray[np.float64]  # [B] octaves below the strongest noise
    thresholds_interval: NDArray[np.float64]  # [2, B], from -inf where the strongest noise may be too weak
    amplitude: float
    mu: float
    sigma: float
    bandwidth: float  # octaves
    center_frequency: float  # cycles/image
    peak_noise_sensitivity: float  # 2^(highest threshold - highest possible): 1 where half the weakest noise disturbs
    bandwidth_interval: Interval
    center_frequency_interval: Interval
    peak_noise_sensitivity_interval: Interval
    identifiable: bool
    n: int


def psychometric_fit(
    correct: ArrayLike,  # [N, S, B] bool
    noise_sds: ArrayLike,  # [S], one of them 0
    *,
    bands: Sequence[int] | None = None,  # [B], default 0 ... B - 1
    criterion: Criterion = "absolute",
    threshold: float = 50.0,
    octave_zero_cpi: float = OCTAVE_ZERO_CPI,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> PsychometricFit:
    """Thresholds where accuracy crosses the criterion, and the channel through them.

    A threshold is scanned for from the strongest noise down; the image without noise stands one octave below the
    weakest noise. It is NaN where the image without noise does not exceed the criterion, so that noise has nothing to
    take away. It is 0 or less, and given as 0, where the strongest noise does not bring accuracy down to the criterion:
    then its interval starts at -inf, and that of `peak_noise_sensitivity` at 0. The channel is a Gaussian by least
    squares, determined where the Jacobian is well conditioned, see `channel_fit`, in 95 % of the resamples.
    `peak_noise_sensitivity` needs no Gaussian. See `channel_fit` for the criterion.

    Raises:
        ShapeError: the arrays do not belong together, or a value is not of its kind.
    """
    outcomes = booleans("psychometric_fit", "correct", correct)
    if outcomes.ndim != 3 or len(outcomes) == 0:
        raise ShapeError(f"psychometric_fit: correct must be [N, S, B] with N > 0, got {outcomes.shape}")
    n, s, b = outcomes.shape
    _, x = strongest_first("psychometric_fit", 100.0 * outcomes.mean(axis=0), noise_sds, bands, criterion)
    octave_zero_cpi = frequency("psychometric_fit", octave_zero_cpi)
    order = np.argsort(-np.asarray(noise_sds, dtype=np.float64))
    octaves = octaves_below_strongest(noise_sds)
    top = float(octaves[-1])

    flat = outcomes[:, order].reshape(n, s * b)
    seen = flat.mean(axis=0, keepdims=True)

    def thresholds(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [R, S * B] -> [R, B]
        percent = 100.0 * accuracies.reshape(-1, s, b)
        return _thresholds(percent, criterion_of("psychometric_fit", percent, criterion, threshold), octaves)

    of_all = fit_channel(x, thresholds(seen)[0], top) if np.isfinite(thresholds(seen)).all() else None

    def numbers(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [R, S * B] -> [R, B + 6]
        found = thresholds(accuracies)
        channel = np.full((len(found), 3), np.nan)
        if of_all is not None and of_all.identifiable:  # else resamples need many steps, to no end
            for row in np.flatnonzero(np.isfinite(found).all(axis=1)):
                fit = fit_channel(x, found[row], top, (of_all.amplitude, of_all.mu, of_all.sigma))
                channel[row] = fit.amplitude, fit.mu, abs(fit.sigma)
        amplitude, mu, width = channel.T
        highest = found.max(axis=1)
        return np.column_stack([found, highest, amplitude, mu, width, WIDTH * width, octave_zero_cpi * 2.0**mu])

    # Samples not seen may be right or wrong without noise, in noise of the coarse bands, and in that of the fine ones.
    blocks = np.where(np.arange(s)[:, None] == s - 1, 0, 1 + (np.arange(b) >= b // 2)).ravel().tolist()
    ends = bootstrap_accuracies(flat, numbers, blocks=blocks, resamples=resamples, confidence=confidence, seed=seed)
    observed = np.where(np.isnan(ends[0]), np.nan, numbers(seen)[0])
    ends[0, : b + 1][ends[0, : b + 1] == 0.0] = -np.inf
    highest, amplitude, mu, sigma, bandwidth, center = map(float, observed[b:])
    low, high = 2.0 ** (ends[:, b] - top)
    return PsychometricFit(
        thresholds=observed[:b],
        thresholds_interval=ends[:, :b],
        amplitude=amplitude,
        mu=mu,
        sigma=sigma,
        bandwidth=bandwidth,
        center_frequency=center,
        peak_noise_sensitivity=float(2.0 ** (highest - top)),
        bandwidth_interval=(float(ends[0, -2]), float(ends[1, -2])),
        center_frequency_interval=(float(ends[0, -1]), float(ends[1, -1])),
        peak_noise_sensitivity_interval=(float(low), float(high)),
        identifiable=bool(np.isfinite(mu)),
        n=n,
    )


def psychometric_channel(
    accuracy: ArrayLike,  # [S, B] in percent
    noise_sds: ArrayLike,  # [S], one of them 0
    *,
    bands: Sequence[int] | None = None,  # [B], default 0 ... B - 1
    criterion: Criterion = "absolute",
    threshold: float = 50.0,
) -> tuple[NDArray[np.float64], Channel | None]:
    """The thresholds [B] of `psychometric_fit` and the channel through them, without intervals.

    There is no channel where a threshold is not known. See `psychometric_fit` for the arguments.

    Raises:
        ShapeError: the arrays do not belong together, or a value is not of its kind.
    """
    rows, x = strongest_first("psychometric_channel", accuracy, noise_sds, bands, criterion)
    octaves = octaves_below_strongest(noise_sds)
    wanted = criterion_of("psychometric_channel", rows[None], criterion, threshold)
    (thresholds,) = _thresholds(rows[None], wanted, octaves)
    known = bool(np.isfinite(thresholds).all())
    return thresholds, fit_channel(x, thresholds, float(octaves[-1])) if known else None


def octaves_below_strongest(noise_sds: ArrayLike) -> NDArray[np.float64]:  # [S], one of them 0 -> [S], rising
    """The noise levels from the strongest down, as thresholds have them; none is an octave below the weakest."""
    sds = np.sort(np.asarray(noise_sds, dtype=np.float64))[::-1]
    octaves = np.log2(sds[0] / sds[:-1])
    return np.append(octaves, octaves[-1] + 1.0)


def _thresholds(
    accuracy: NDArray[np.float64],  # [R, S, B] percent, from the strongest noise to none
    wanted: NDArray[np.float64],  # [R, 1, B]
    octaves: NDArray[np.float64],  # [S] below the strongest noise
) -> NDArray[np.float64]:  # [R, B]
    """Where accuracy first rises above the criterion on the way from the strongest noise down."""
    above = accuracy > wanted
    first = above.argmax(axis=1)[:, None]  # [R, 1, B]
    before = np.maximum(first - 1, 0)
    high, low = (np.take_along_axis(accuracy, place, axis=1) for place in (first, before))
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(high > low, (wanted - low) / (high - low), 1.0)
    crossed = octaves[before] + np.clip(way, 0.0, 1.0) * (octaves[first] - octaves[before])
    found: NDArray[np.float64] = np.where(above[:, -1], crossed[:, 0], np.nan)
    return found
