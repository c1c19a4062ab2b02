# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Feature reliance: how much accuracy goes when a feature is suppressed, instead of which of two in conflict wins.

Source: Burgert et al., "ImageNet-trained CNNs are not biased towards texture", NeurIPS 2025.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans
from visionbias.metrics.intervals import Interval, bootstrap_accuracies


@dataclass(frozen=True)
class FeatureRelianceResult:
    """Accuracy at each strength of suppression over clean accuracy, and what is lost on average."""

    relative_accuracy: NDArray[np.float64]  # [F]
    reliance: float  # 1 - mean of relative_accuracy: 0 does not miss the feature, 1 is lost without it
    interval: Interval  # of reliance, 95 %, see `bootstrap_accuracies`
    n: int


def feature_reliance(
    clean: ArrayLike,  # [N] bool
    suppressed: ArrayLike,  # [N, F] bool
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> FeatureRelianceResult:
    """How much a model relies on a feature that is suppressed at F strengths, from the correctness of aligned samples.

    Reliance and interval are NaN where too few clean samples are correct to divide by their number: where more than 5 %
    of the resamples have none.

    Raises:
        ShapeError: the arrays do not belong together.
    """
    clean_ = booleans("feature_reliance", "clean", clean)
    without = booleans("feature_reliance", "suppressed", suppressed)
    if clean_.ndim != 1 or without.ndim != 2 or len(without) != len(clean_) or without.shape[1] == 0:
        raise ShapeError(
            f"feature_reliance: wanted clean [N] and suppressed [N, F] with F > 0, got {clean_.shape}, {without.shape}"
        )
    n = len(clean_)
    correct = np.column_stack([clean_, without])

    def relative(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [B, 1 + F] -> [B, F]
        base = accuracies[:, :1]
        return np.divide(accuracies[:, 1:], base, out=np.full_like(accuracies[:, 1:], np.nan), where=base > 0)

    def reliance(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:  # [B, 1]
        kept: NDArray[np.float64] = relative(accuracies).mean(axis=1, keepdims=True)
        return 1.0 - kept

    if n == 0:
        return FeatureRelianceResult(np.full(without.shape[1], np.nan), np.nan, (np.nan, np.nan), 0)
    observed = correct.mean(axis=0, keepdims=True)
    blocks = [0] + [1] * without.shape[1]
    low, high = bootstrap_accuracies(correct, reliance, blocks=blocks, resamples=resamples, seed=seed)[:, 0]
    found = float("nan") if np.isnan(low) else float(reliance(observed)[0, 0])
    return FeatureRelianceResult(relative(observed)[0], found, (float(low), float(high)), n)
