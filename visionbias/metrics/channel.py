# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The channel that noise reveals: a Gaussian over octaves, fitted to how much noise each band stands.

Source: Subramanian et al., "Spatial-frequency channels, shape bias, and adversarial robustness", NeurIPS 2023.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import floats, percentage

Criterion = Literal["absolute", "relative"]
OCTAVE_ZERO_CPI = 1.75  # center of band 0 of 224 pixels, cycles/image
WIDTH = 2.0 * np.sqrt(np.log(4.0))  # of a Gaussian at half of its height, in octaves of sigma
MOST_CONDITION = 100.0  # of the Jacobian, beyond which the data do not determine the parameters


@dataclass(frozen=True)
class Channel:
    """A Gaussian A exp(-(f - mu)^2 / (2 sigma^2)) over bands f; NaN where the data do not determine it."""

    amplitude: float
    mu: float
    sigma: float
    identifiable: bool
    sse: float  # sum of squared residuals, NaN where the fit did not converge
    curve: NDArray[np.float64]  # [B] the fit at the bands
    condition_number: float  # of the Jacobian at the solution


@dataclass(frozen=True)
class ChannelFit:
    """The published fit on whole thresholds. Numbers that the data do not determine are NaN.

    The sign of sigma, and of the bandwidth with it, is where the optimizer came from; both give the same Gaussian.
    """

    thresholds: NDArray[np.int64]  # [B] levels, from the strongest down, until accuracy is above the criterion
    amplitude: float
    mu: float
    sigma: float
    bandwidth: float  # octaves
    center_frequency: float  # cycles/image
    peak_noise_sensitivity: float  # 2^(amplitude - levels)
    identifiable: bool
    sse: float
    curve: NDArray[np.float64]  # [B] the fitted Gaussian at the bands
    condition_number: float


def channel_fit(
    accuracy: ArrayLike,  # [S, B] in percent
    noise_sds: ArrayLike,  # [S], one of them 0
    *,
    bands: Sequence[int] | None = None,  # [B], default 0 ... B - 1
    criterion: Criterion = "absolute",
    threshold: float = 50.0,
    octave_zero_cpi: float = OCTAVE_ZERO_CPI,
) -> ChannelFit:
    """Thresholds and the Gaussian through them, as published: bounded least squares from (1, 0, 1), 0 <= A <= S - 1.

    A band's threshold is the number of noise levels, from the strongest down, until accuracy is strictly above
    `threshold` percent ("absolute") or above that percentage of the accuracy without noise ("relative"); S - 1 also
    where even the image without noise fails.

    Raises:
        ShapeError: the arrays do not belong together, or a value is not of its kind.
    """
    rows, x = strongest_first("channel_fit", accuracy, noise_sds, bands, criterion)
    wanted = criterion_of("channel_fit", rows, criterion, threshold)
    octave_zero_cpi = frequency("channel_fit", octave_zero_cpi)
    above = rows > wanted
    levels = len(rows) - 1
    thresholds = np.where(above.any(axis=0), above.argmax(axis=0), levels)
    fit = fit_channel(x, thresholds.astype(np.float64), float(levels))
    return ChannelFit(
        thresholds=thresholds.astype(np.int64),
        amplitude=fit.amplitude,
        mu=fit.mu,
        sigma=fit.sigma,
        bandwidth=float(WIDTH * fit.sigma),
        center_frequency=float(octave_zero_cpi * 2.0**fit.mu),
        peak_noise_sensitivity=float(2.0 ** (fit.amplitude - levels)),
        identifiable=fit.identifiable,
        sse=fit.sse,
        curve=fit.curve,
        condition_number=fit.condition_number,
    )


def strongest_first(
    function: str, accuracy: ArrayLike, noise_sds: ArrayLike, bands: Sequence[int] | None, criterion: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracies [S, B] from the strongest noise to none, and the bands as numbers.

    Raises:
        ShapeError: see `channel_fit`.
    """
    rows, sds = floats(function, "accuracy", accuracy), floats(function, "noise_sds", noise_sds)
    if rows.ndim != 2 or sds.shape != (len(rows),) or len(sds) < 2 or rows.shape[1] < 3:
        raise ShapeError(
            f"{function}: wanted accuracy [S, B] of two levels or more and three bands or more, and noise_sds [S]; "
            f"got {rows.shape}, {sds.shape}"
        )
    if not (np.isfinite(sds).all() and (sds >= 0).all() and (sds == 0).sum() == 1 and len(set(sds)) == len(sds)):
        raise ShapeError(f"{function}: noise_sds must be 0 once and different positive numbers, got {sds.tolist()}")
    if not ((rows >= 0) & (rows <= 100)).all():
        raise ShapeError(f"{function}: accuracy must be in percent, 0 to 100, without NaN; multiply fractions by 100")
    x = np.arange(rows.shape[1], dtype=np.float64) if bands is None else floats(function, "bands", bands)
    if x.shape != (rows.shape[1],) or len(set(x.tolist())) != len(x) or not np.isfinite(x).all():
        raise ShapeError(f"{function}: bands must be {rows.shape[1]} different numbers, got {bands!r}")
    if criterion not in ("absolute", "relative"):
        raise ShapeError(f"{function}: criterion must be 'absolute' or 'relative', got {criterion!r}")
    return rows[np.argsort(-sds)], x


def criterion_of(
    function: str,
    accuracy: NDArray[np.float64],  # [..., S, B] from the strongest noise to none
    criterion: str,
    threshold: float,  # percent
) -> NDArray[np.float64]:  # [..., 1, B]
    """The accuracy that counts as seeing.

    Raises:
        ShapeError: `threshold` is no percentage.
    """
    threshold = percentage(function, "threshold", threshold)
    without = accuracy[..., -1:, :]
    return without * threshold / 100.0 if criterion == "relative" else np.full_like(without, threshold)


def frequency(function: str, octave_zero_cpi: float) -> float:
    """The center of band 0 in cycles/image.

    Raises:
        ShapeError: it is no positive number.
    """
    value = floats(function, "octave_zero_cpi", octave_zero_cpi)
    if value.ndim or not 0.0 < value < np.inf:
        raise ShapeError(f"{function}: octave_zero_cpi must be a positive number, got {octave_zero_cpi!r}")
    return float(value)


def fit_channel(
    x: NDArray[np.float64],  # [B] bands
    thresholds: NDArray[np.float64],  # [B]
    highest: float,  # bound of the amplitude
    start: tuple[float, float, float] = (1.0, 0.0, 1.0),  # amplitude, mu, sigma; as published
) -> Channel:
    """Bounded least squares."""
    from scipy.optimize import OptimizeWarning, curve_fit

    bounds = ([0.0, -np.inf, -np.inf], [highest, np.inf, np.inf])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found, _ = curve_fit(_gaussian, x, thresholds, p0=start, bounds=bounds, jac=_jacobian)
        except RuntimeError:  # no convergence
            nan = float("nan")
            return Channel(nan, nan, nan, False, nan, np.full(len(x), nan), float("inf"))
        curve, jacobian = _gaussian(x, *found), _jacobian(x, *found)
        condition = float(np.linalg.cond(jacobian)) if np.isfinite(jacobian).all() else float("inf")
    identifiable = condition < MOST_CONDITION
    amplitude, mu, sigma = map(float, found) if identifiable else (float("nan"),) * 3
    sse = float(np.square(curve - thresholds).sum())
    return Channel(amplitude, mu, sigma, identifiable, sse, curve, condition)


def _gaussian(f: NDArray[np.float64], amplitude: float, mu: float, sigma: float) -> NDArray[np.float64]:
    curve: NDArray[np.float64] = amplitude * np.exp(-((f - mu) ** 2) / (2.0 * sigma**2))
    return curve


def _jacobian(f: NDArray[np.float64], amplitude: float, mu: float, sigma: float) -> NDArray[np.float64]:  # [B, 3]
    shape, offset = _gaussian(f, 1.0, mu, sigma), f - mu
    return np.column_stack([shape, amplitude * shape * offset / sigma**2, amplitude * shape * offset**2 / sigma**3])
