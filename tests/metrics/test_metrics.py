# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Metrics against small cases worked out by hand and against SciPy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, bootstrap

from visionbias.errors import ShapeError
from visionbias.metrics import accuracy, feature_reliance, spectral_bias
from visionbias.metrics.arrays import booleans
from visionbias.metrics.intervals import bootstrap_accuracies, difference_intervals, wilson


def test_accuracy_by_hand() -> None:
    result = accuracy([True, True, False, True])
    assert (result.accuracy, result.n) == (0.75, 4)
    # Wilson: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) with z = 1.959964
    assert result.interval == pytest.approx((0.30064, 0.95441), abs=1e-5)


def test_no_samples_gives_nan_not_a_number_from_nothing() -> None:
    result = accuracy(np.zeros(0, bool))
    assert np.isnan(result.accuracy)
    assert np.isnan(result.interval).all()


def test_accuracy_refuses_a_matrix() -> None:
    with pytest.raises(ShapeError, match=r"must be \[N\], got shape \(2, 2\)"):
        accuracy(np.ones((2, 2), bool))


def test_differences_of_shares_as_published() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table II, method 10: 6/7 - 2/7 and 10/10 - 0/10."""
    low, high = difference_intervals(np.array([6 / 7, 1.0]), np.array([2 / 7, 0.0]), np.array([7, 10]))
    assert low.round(4).tolist() == [0.0582, 0.6075]
    assert high.round(4).tolist() == [0.8062, 1.0]


def test_wilson_ends_stay_inside() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_spectral_bias_by_hand() -> None:
    clean = np.array([1, 1, 1, 1, 0], bool)  # 0.8
    lowpass = np.array([[1, 1], [1, 1], [0, 1], [0, 1], [0, 0]], bool)  # 0.4, 0.8
    highpass = np.array([[1, 0], [0, 0], [0, 0], [0, 0], [1, 0]], bool)  # 0.4, 0.0
    result = spectral_bias(clean, lowpass, highpass, [0.1, 0.5])
    assert result.lfc.tolist() == [0.5, 1.0]
    assert result.hfc.tolist() == [0.5, 0.0]
    assert (result.lpp, result.hpp) == (0.75, 0.25)
    assert result.spectral_bias == 0.25
    assert result.spectral_bias_interval[0] <= 0.25 <= result.spectral_bias_interval[1]


def test_only_cutoffs_from_one_to_five_tenths_are_averaged() -> None:
    clean = np.ones(4, bool)
    ones, zeros = np.ones(4, bool), np.zeros(4, bool)
    cutoffs = (0.01, *(0.1 + i * 0.1 for i in range(9)), 0.99)
    lowpass = np.stack([ones if 0.05 < c < 0.55 else zeros for c in cutoffs], axis=1)
    result = spectral_bias(clean, lowpass, ~lowpass, cutoffs)
    assert (result.lpp, result.hpp, result.spectral_bias) == (1.0, 0.0, 0.0)


def test_undetermined_is_nan_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    nothing_right = spectral_bias(np.zeros(3, bool), np.ones((3, 1), bool), np.ones((3, 1), bool), [0.3])
    assert np.isnan([nothing_right.lpp, nothing_right.spectral_bias, *nothing_right.lfc]).all()
    nothing_left = spectral_bias(np.ones(3, bool), np.zeros((3, 1), bool), np.zeros((3, 1), bool), [0.3])
    assert (nothing_left.lpp, nothing_left.hpp) == (0.0, 0.0)
    assert np.isnan(nothing_left.spectral_bias)
    no_cutoff = spectral_bias(np.ones(3, bool), np.ones((3, 1), bool), np.ones((3, 1), bool), [0.9])
    assert np.isnan(no_cutoff.lpp)
    assert no_cutoff.lfc.tolist() == [1.0]
    empty = spectral_bias(np.ones(0, bool), np.ones((0, 1), bool), np.ones((0, 1), bool), [0.3])
    assert np.isnan(empty.spectral_bias)
    assert not recwarn.list


def test_arrays_that_do_not_belong_together() -> None:
    with pytest.raises(ShapeError, match=r"wanted clean \[N\]"):
        spectral_bias(np.ones(3, bool), np.ones((3, 2), bool), np.ones((3, 1), bool), [0.3])


def test_bootstrap_agrees_with_scipy_and_with_itself() -> None:
    rng = np.random.default_rng(5)
    correct = rng.random((400, 2)) < [0.8, 0.3]
    ours = bootstrap_accuracies(correct, lambda a: a[:, 1:] / a[:, :1], blocks=[0, 1], resamples=4000)
    reference = bootstrap(
        (correct[:, 0], correct[:, 1]),
        lambda a, b, axis: b.mean(axis=axis) / a.mean(axis=axis),
        paired=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(9),
    ).confidence_interval
    assert ours[:, 0] == pytest.approx([reference.low, reference.high], abs=0.006)
    again = bootstrap_accuracies(correct, lambda a: a[:, 1:] / a[:, :1], blocks=[0, 1], resamples=4000)
    assert (ours == again).all()


def test_samples_that_agree_leave_room_for_those_not_seen() -> None:
    """Of one accuracy that is 1 in n samples: Clopper & Pearson's interval."""
    ends = bootstrap_accuracies(np.ones((30, 1), bool), lambda a: a, blocks=[0])
    assert ends[:, 0] == pytest.approx([binomtest(30, 30).proportion_ci(method="exact").low, 1], abs=1e-12)


def test_what_resamples_often_lack_is_not_determined() -> None:
    """One correct clean sample of 30 is missing in 36 % of the resamples."""
    correct = np.zeros((30, 2), bool)
    correct[0] = True
    ratio = spectral_bias(correct[:, 0], correct[:, 1:], correct[:, 1:], [0.3])
    assert np.isnan([ratio.lpp, *ratio.lpp_interval, ratio.spectral_bias, *ratio.spectral_bias_interval]).all()
    everything = np.ones((30, 1), bool)
    balanced = spectral_bias(everything[:, 0], everything, everything, [0.3])
    assert balanced.spectral_bias_interval[0] < balanced.spectral_bias == 0.5 < balanced.spectral_bias_interval[1]


@pytest.mark.parametrize("values", [pd.array([1, 0], dtype="Int64"), np.array([1, 0], object), [True, 0], [1.0, 0.0]])
def test_ones_and_zeros_are_outcomes(values: Any) -> None:
    assert booleans("f", "correct", values).tolist() == [True, False]


@pytest.mark.parametrize("values", [pd.array([1, None], dtype="Int64"), np.array(["1", 0], object), [2, 0], [None, 1]])
def test_what_is_missing_or_something_else_is_no_outcome(values: Any) -> None:
    with pytest.raises(ShapeError, match="must hold True and False"):
        booleans("f", "correct", values)


@pytest.mark.parametrize("lost", [0.005, 0.02, 0.1])
def test_intervals_cover_the_truth(lost: float) -> None:
    """Clean accuracy 0.8, of which a share is lost: in 60 samples often none of it is seen."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        clean = rng.random(60) < 0.8
        result = feature_reliance(clean, (clean & (rng.random(60) >= lost))[:, None], resamples=200)
        covered += result.interval[0] <= lost <= result.interval[1]
    assert covered >= 0.92 * 300


def test_masked_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="correct is a masked array; leave out what is masked"):
        accuracy(np.ma.array([True, False], mask=[False, True]))
