# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Means over corruptions, mCE, label sets and means of sets, by hand."""

import math

import numpy as np
import pytest

import visionbias as vb
from visionbias.datasets.benchmarks import C15, C19, SEVERITIES
from visionbias.metrics.accuracy import correct_by_label_sets
from visionbias.metrics.corruptions import ALEXNET_ERRORS
from visionbias.metrics.intervals import mean_interval

CELLS = [f"{name}/{severity}" for name in C19 for severity in SEVERITIES]


@pytest.fixture(scope="module")
def correct() -> np.ndarray:
    return np.random.default_rng(0).random((40, 95)) < np.linspace(0.1, 0.9, 95)


def test_means_over_15_and_19(correct: np.ndarray) -> None:
    for corruptions, cells in ((C15, 75), (None, 95)):
        value, (low, high) = vb.metrics.corruption_accuracy(correct, CELLS, corruptions)
        assert value == pytest.approx(correct[:, :cells].mean(), abs=1e-12)
        assert low < value < high


def test_mean_of_uneven_severities_is_over_corruptions() -> None:
    value, _ = vb.metrics.corruption_accuracy(np.array([[True, True, False]]), ["fog/1", "fog/2", "snow/1"])
    assert value == 0.5


def test_mce_is_the_mean_of_errors_over_those_of_alexnet(correct: np.ndarray) -> None:
    errors = 1 - correct[:, :75].mean(axis=0).reshape(15, 5).mean(axis=1)
    by_hand = np.mean([error / ALEXNET_ERRORS[name] for name, error in zip(C15, errors, strict=True)])
    value, (low, high) = vb.metrics.mean_corruption_error(correct, CELLS)
    assert value == pytest.approx(by_hand, abs=1e-12)
    assert low < value < high
    assert vb.metrics.mean_corruption_error(np.ones((3, 95), bool), CELLS)[0] == pytest.approx(0.0, abs=1e-12)


def test_alexnet_as_published() -> None:
    assert tuple(ALEXNET_ERRORS) == C15
    # The paper gives them in percent, rounded; their mean is what it calls AlexNet's error under corruption.
    published = [89, 89, 92, 82, 83, 79, 80, 87, 83, 82, 56, 85, 65, 72, 61]
    assert [round(100 * error) for error in ALEXNET_ERRORS.values()] == published


def test_mce_needs_all_severities_of_all_15(correct: np.ndarray) -> None:
    assert math.isnan(vb.metrics.mean_corruption_error(correct[:, 1:], CELLS[1:])[0])
    assert math.isnan(vb.metrics.corruption_accuracy(correct[:0], CELLS)[0])
    with pytest.raises(vb.ShapeError, match="for 95 corruptions"):
        vb.metrics.mean_corruption_error(correct[:, 1:], CELLS)


def test_interval_keeps_the_correlation_of_corruptions() -> None:
    """The same images under every corruption tell as much as they do under one."""
    one = np.arange(200)[:, None] % 3 == 0
    alone, many = (vb.metrics.corruption_accuracy(np.repeat(one, f, axis=1), CELLS[:f])[1] for f in (1, 5))
    assert many == pytest.approx(alone, abs=1e-12)


def test_label_sets() -> None:
    pred, sizes = np.array([3, 1, 7, 2]), np.array([2, 0, 1, 3])
    assert correct_by_label_sets(pred, sizes, np.array([5, 3, 8, 0, 1, 2])).tolist() == [True, False, True]
    with pytest.raises(vb.ShapeError, match="members"):
        correct_by_label_sets(pred, sizes, np.array([5]))


def test_interval_of_a_mean() -> None:
    values, ends = [0.5, 0.7], [(0.4, 0.6), (0.6, 0.8)]
    assert mean_interval(values, ends, ["same", "same"]) == pytest.approx((0.5, 0.7))
    half = math.hypot(0.1, 0.1) / 2
    assert mean_interval(values, ends, ["a", "b"]) == pytest.approx((0.6 - half, 0.6 + half))
    with pytest.raises(vb.ShapeError, match="as many intervals"):
        mean_interval(values, ends, ["a"])
