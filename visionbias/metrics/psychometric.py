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
    Criterion,
    criterion_of,
    fit_channel,
    frequency,
    strongest_first,
)
from visionbias.metrics.intervals import Interval, bootstrap_accuracies


@dataclass(frozen=True)
class PsychometricFit:
    """Continuous thresholds and the channel through them, with percentile bootstrap intervals over samples."""

    thresholds: NDArray[np.float64]  # [B] octaves below the strongest noise
    thresholds_interval: NDArray[np.float64]  # [2, B]
    amplitude: float
    mu: float
    sigma: float
    bandwidth: float  # octaves
    center_frequency: float  # cycles/image
    peak_noise_sensitivity: (
        float  # 2^(highest threshold - highest possible): 1 where noise of half the weakest disturbs
    )
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

    A threshold is 0 where the strongest noise does not bring accuracy down to the criterion, and is scanned for from
    there down; the image without noise stands one octave below the weakest noise. The channel is a Gaussian by least
    squares; where it is not determined its numbers are NaN, and resamples in which it is not are left out of its
    intervals. `peak_noise_sensitivity` needs no Gaussian. See `channel_fit` for the criterion.

    Raises:
        ShapeError: the arrays do not belong together, or a value is not of its kind.
    """
    outcomes = booleans("psychometric_fit", "correct", correct)
    if outcomes.ndim != 3 or len(outcomes) == 0:
        raise ShapeError(f"psychometric_fit: correct must be [N, S, B] with N > 0, got {outcomes.shape}")
    n, s, b = outcomes.shape
    _, x = strongest_first("psychometric_fit", 100.0 * outcomes.mean(axis=0), noise_sds, bands, criterion)
    octave_zero_cpi = frequency("psychometric_fit", octave_zero_cpi)
    sds = np.asarray(noise_sds, dtype=np.float64)
    order = np.argsort(-sds)
    octaves = np.log2(sds.max() / sds[order][:-1])
    octaves = np.append(octaves, octaves[-1] + 1.0)  # [S], rising
    top = float(octaves[-1])

    def numbers(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [R, S * B] -> [R, B + 6]
        percent = 100.0 * accuracies.reshape(-1, s, b)
        found = _thresholds(percent, criterion_of("psychometric_fit", percent, criterion, threshold), octaves)
        fits = [fit_channel(x, row, top) for row in found]
        amplitude, mu, sigma = (np.array([getattr(fit, name) for fit in fits]) for name in ("amplitude", "mu", "sigma"))
        width = np.abs(sigma)
        peak = 2.0 ** (found.max(axis=1) - top)
        return np.column_stack([found, amplitude, mu, width, WIDTH * width, octave_zero_cpi * 2.0**mu, peak])

    flat = outcomes[:, order].reshape(n, s * b)
    observed = numbers(flat.mean(axis=0, keepdims=True))[0]
    ends = bootstrap_accuracies(flat, numbers, resamples=resamples, confidence=confidence, seed=seed)
    amplitude, mu, sigma, bandwidth, center, peak = map(float, observed[b:])
    intervals = [(float(low), float(high)) for low, high in ends[:, b + 3 :].T]
    return PsychometricFit(
        thresholds=observed[:b],
        thresholds_interval=ends[:, :b],
        amplitude=amplitude,
        mu=mu,
        sigma=sigma,
        bandwidth=bandwidth,
        center_frequency=center,
        peak_noise_sensitivity=peak,
        bandwidth_interval=intervals[0],
        center_frequency_interval=intervals[1],
        peak_noise_sensitivity_interval=intervals[2],
        identifiable=bool(np.isfinite(mu)),
        n=n,
    )


def _thresholds(
    accuracy: NDArray[np.float64],  # [R, S, B] percent, from the strongest noise to none
    wanted: NDArray[np.float64],  # [R, 1, B]
    octaves: NDArray[np.float64],  # [S] below the strongest noise
) -> NDArray[np.float64]:  # [R, B]
    """Where accuracy first rises above the criterion on the way from the strongest noise down."""
    above = accuracy > wanted
    first = np.where(above.any(axis=1), above.argmax(axis=1), len(octaves) - 1)[:, None]  # [R, 1, B]
    before = np.maximum(first - 1, 0)
    high, low = (np.take_along_axis(accuracy, place, axis=1) for place in (first, before))
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(high > low, (wanted - low) / (high - low), 1.0)
    # Without a crossing the last level stands, and with none before it the first.
    crossed: NDArray[np.float64] = octaves[before] + np.clip(way, 0.0, 1.0) * (octaves[first] - octaves[before])
    found: NDArray[np.float64] = np.where(above.any(axis=1), crossed[:, 0], octaves[-1])
    return found
