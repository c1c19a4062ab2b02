# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Means over corruptions and severities, and the mean corruption error (mCE).

Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
ICLR 2019.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visionbias.datasets.benchmarks import C15, SEVERITIES
from visionbias.errors import ShapeError
from visionbias.metrics.intervals import Interval, bootstrap_accuracies

# AlexNet's top-1 error, mean over the five severities, as published with the set.
ALEXNET_ERRORS: Mapping[str, float] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}


Estimate = tuple[float, Interval]  # a number and its 95 % bootstrap interval over images
_UNDETERMINED: Estimate = (math.nan, (math.nan, math.nan))


def corruption_accuracy(
    correct: NDArray[np.bool_],  # [N, F]: image, cell
    cells: Sequence[str],  # [F] such as "fog/3"
    corruptions: Sequence[str] | None = None,  # default all
) -> Estimate:
    """Mean over corruptions of the mean over severities, in [0, 1]. NaN without images or cells.

    Raises:
        ShapeError: `correct` is not [N, F].
    """
    names = _names(correct, cells)
    kept = [name for name in dict.fromkeys(names) if corruptions is None or name in corruptions]
    weights = [1 / names.count(name) / len(kept) if name in kept else 0.0 for name in names]
    return _linear(correct, np.array(weights), 0.0)


def mean_corruption_error(correct: NDArray[np.bool_], cells: Sequence[str]) -> Estimate:
    """mCE: the mean over 15 corruptions of the error over AlexNet's, both means over five severities. 1 is AlexNet's.

    NaN where one of the 75 is missing: the published errors of AlexNet are means over five severities.

    Raises:
        ShapeError: `correct` is not [N, F].
    """
    names = _names(correct, cells)
    if not {f"{name}/{severity}" for name in C15 for severity in SEVERITIES} <= set(cells):
        return _UNDETERMINED
    shares = {name: 1 / ALEXNET_ERRORS[name] / len(C15) for name in C15}
    weights = [-shares.get(name, 0.0) / len(SEVERITIES) for name in names]
    return _linear(correct, np.array(weights), sum(shares.values()))


def _names(correct: NDArray[np.bool_], cells: Sequence[str]) -> list[str]:
    """The corruption [F] of each cell."""
    if correct.ndim != 2 or correct.shape[1] != len(cells):
        raise ShapeError(f"wanted correct [N, F] for {len(cells)} corruptions and severities, got {correct.shape}")
    return [cell.split("/")[0] for cell in cells]


def _linear(correct: NDArray[np.bool_], weights: NDArray[np.float64], constant: float) -> Estimate:
    """`constant` + the weighted sum of the accuracies."""
    used = weights != 0.0
    if not len(correct) or not used.any():
        return _UNDETERMINED
    correct, weights = correct[:, used], weights[used]
    low, high = bootstrap_accuracies(
        correct, lambda accuracies: (constant + accuracies @ weights)[..., None], blocks=[0] * len(weights)
    )[:, 0]
    return float(constant + correct.mean(axis=0) @ weights), (float(low), float(high))
