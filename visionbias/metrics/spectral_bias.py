# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Spectral bias: which side of the spectrum a model's accuracy hangs on.

Source: Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?", CVPR 2024.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans, floats
from visionbias.metrics.intervals import Interval, bootstrap_accuracies

# LPP and HPP average the cutoffs 0.1 ... 0.5; the margin absorbs the rounding of 0.1 * 3 and the like.
_AVERAGED = (0.1 - 1e-9, 0.5 + 1e-9)


@dataclass(frozen=True)
class SpectralBiasResult:
    """Low- and high-frequency performance and their balance, with 95 % intervals, see `bootstrap_accuracies`."""

    cutoffs: NDArray[np.float64]  # [F] fraction of the Nyquist frequency
    lfc: NDArray[np.float64]  # [F] accuracy under low-pass / clean accuracy
    hfc: NDArray[np.float64]  # [F] accuracy under high-pass / clean accuracy
    lpp: float  # mean LFC over cutoffs 0.1 ... 0.5
    hpp: float  # mean HFC over cutoffs 0.1 ... 0.5
    spectral_bias: float  # HPP / (LPP + HPP): 0 all low, 1 all high
    lpp_interval: Interval
    hpp_interval: Interval
    spectral_bias_interval: Interval
    n: int


def spectral_bias(
    clean: ArrayLike,  # [N] bool
    lowpass: ArrayLike,  # [N, F] bool
    highpass: ArrayLike,  # [N, F] bool
    cutoffs: ArrayLike,  # [F] fraction of the Nyquist frequency
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> SpectralBiasResult:
    """LFC, HFC, LPP, HPP and spectral bias from the correctness of aligned samples.

    Values are NaN where they are not determined: with no cutoff in [0.1, 0.5], or where what they are divided by, the
    correct clean samples or LPP + HPP, is 0 in more than 5 % of the resamples.

    Raises:
        ShapeError: the arrays do not belong together.
    """
    named = (("clean", clean), ("lowpass", lowpass), ("highpass", highpass))
    clean_, low, high = (booleans("spectral_bias", name, values) for name, values in named)
    cuts = floats("spectral_bias", "cutoffs", cutoffs)
    n, f = clean_.size, cuts.size
    if cuts.shape != (f,) or clean_.shape != (n,) or low.shape != (n, f) or high.shape != (n, f):
        raise ShapeError(
            f"spectral_bias: wanted clean [N], lowpass and highpass [N, F], cutoffs [F]; "
            f"got {clean_.shape}, {low.shape}, {high.shape}, {cuts.shape}"
        )
    averaged = (cuts >= _AVERAGED[0]) & (cuts <= _AVERAGED[1])
    correct = np.column_stack([clean_, low, high])

    def curves(accuracies: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [B, 1 + 2 F]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(accuracies[:, :1] > 0, accuracies[:, 1:] / accuracies[:, :1], np.nan)
        return ratios[:, :f], ratios[:, f:]

    def totals(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [B, 3]
        lfc, hfc = curves(accuracies)
        if not averaged.any():
            return np.full((len(accuracies), 3), np.nan)
        lpp, hpp = lfc[:, averaged].mean(axis=1), hfc[:, averaged].mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.column_stack([lpp, hpp, np.where(lpp + hpp > 0, hpp / (lpp + hpp), np.nan)])

    observed = correct.mean(axis=0, keepdims=True) if n else np.full((1, 1 + 2 * f), np.nan)
    lfc, hfc = curves(observed)
    blocks = [0] + [1] * f + [2] * f
    ends = np.full((2, 3), np.nan)
    if n:
        ends = bootstrap_accuracies(correct, totals, blocks=blocks, resamples=resamples, seed=seed)
    lpp, hpp, bias = np.where(np.isnan(ends[0]), np.nan, totals(observed)[0])
    lpp_interval, hpp_interval, bias_interval = ((float(low_), float(high_)) for low_, high_ in ends.T)
    return SpectralBiasResult(
        cuts, lfc[0], hfc[0], float(lpp), float(hpp), float(bias), lpp_interval, hpp_interval, bias_interval, n
    )
