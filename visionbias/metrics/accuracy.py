# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy: the share of samples that are classified correctly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def correct_by_label_sets(
    pred: NDArray[np.integer],  # [N] classes
    sizes: NDArray[np.integer],  # [N] classes in each label set
    members: NDArray[np.integer],  # the classes of all label sets, one set after the other
) -> NDArray[np.bool_]:  # one for each set that is not empty
    """Whether each prediction is in its label set; images whose set is empty are not scored, as in ReaL.

    Raises:
        ShapeError: there are not as many label sets as predictions, or not as many members as their sizes say.

    Source: Beyer et al., "Are we done with ImageNet?", 2020.
    """
    if pred.shape != sizes.shape or members.shape != (sizes.sum(),):
        raise ShapeError(
            "correct_by_label_sets: wanted pred [N], sizes [N] and members [sum of sizes], "
            f"got {pred.shape}, {sizes.shape}, {members.shape}"
        )
    owner = np.repeat(np.arange(len(pred)), sizes)
    hits: NDArray[np.bool_] = np.bincount(owner, members == pred[owner], len(pred))[sizes > 0] > 0
    return hits
