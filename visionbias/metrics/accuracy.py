# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy: the share of samples that are classified correctly."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans
from visionbias.metrics.intervals import Interval, wilson


@dataclass(frozen=True)
class AccuracyResult:
    """An accuracy in [0, 1], its sample count, and its 95 % Wilson interval."""

    accuracy: float
    n: int
    interval: Interval


def accuracy(correct: ArrayLike) -> AccuracyResult:  # [N] bool
    """Share of `True` in `correct` [N], with its Wilson interval.

    Raises:
        ShapeError: `correct` is not one-dimensional, or holds anything but True and False.
    """
    outcomes = booleans("accuracy", "correct", correct)
    if outcomes.ndim != 1:
        raise ShapeError(f"accuracy: correct must be [N], got shape {outcomes.shape}; pass one condition at a time")
    n, hits = len(outcomes), int(outcomes.sum())
    return AccuracyResult(hits / n if n else float("nan"), n, wilson(hits, n))
