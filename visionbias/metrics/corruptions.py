# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Means over corruptions and severities, and the mean corruption error (mCE).

Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
ICLR 2019.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from visionbias.datasets.benchmarks import C15, SEVERITIES
from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans
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


MCE = "imagenet_c_mce"  # its column
Estimate = tuple[float, Interval]  # a number and its 95 % bootstrap interval over images


def corruption_accuracy(
    correct: ArrayLike,  # [N, F] bool: image, corruption and severity
    cells: Sequence[str],  # [F] such as "fog/3"
    corruptions: Sequence[str] | None = None,  # default all
) -> Estimate:
    """Mean over corruptions of the mean over severities, in [0, 1]. NaN without images, or without the corruptions.

    Raises:
        ShapeError: `correct` is not [N, F], or holds anything but True and False.
    """
    names = [cell.split("/")[0] for cell in cells]
    kept = [name for name in dict.fromkeys(names) if corruptions is None or name in corruptions]
    weights = [1 / names.count(name) / len(kept) if name in kept else 0.0 for name in names]
    return _weighted("corruption_accuracy", correct, weights)


def mean_corruption_error(correct: ArrayLike, cells: Sequence[str]) -> Estimate:
    """mCE: the mean over 15 corruptions of the error over AlexNet's, both means over five severities. 1 is AlexNet's.

    NaN where one of the 75 is missing, since AlexNet's errors are known over all five severities alone.

    Raises:
        ShapeError: see `corruption_accuracy`.
    """
    whole = {f"{name}/{severity}" for name in C15 for severity in SEVERITIES} <= set(cells)
    shares = {name: 1 / ALEXNET_ERRORS[name] / len(C15) for name in C15}
    total = sum(shares.values())
    weights = [shares.get(cell.split("/")[0], 0.0) / total / len(SEVERITIES) if whole else 0.0 for cell in cells]
    accuracy, (low, high) = _weighted("mean_corruption_error", correct, weights)
    return total * (1 - accuracy), (total * (1 - high), total * (1 - low))


def _weighted(function: str, correct: ArrayLike, weights: Sequence[float]) -> Estimate:
    """The mean of accuracies by weights whose sum is 1, or 0 where there is no mean."""
    outcomes = booleans(function, "correct", correct)
    if outcomes.ndim != 2 or outcomes.shape[1] != len(weights):
        raise ShapeError(
            f"{function}: correct must be [N, F] for {len(weights)} corruptions and severities, got {outcomes.shape}"
        )
    if not len(outcomes) or not any(weights):
        return math.nan, (math.nan, math.nan)
    # An image's share of right answers is all that the mean depends on.
    shares = outcomes @ np.array(weights)  # [N]
    low, high = bootstrap_accuracies(shares[:, None], lambda accuracies: accuracies, blocks=[0])[:, 0]
    return float(outcomes.mean(axis=0) @ weights), (float(low), float(high))
