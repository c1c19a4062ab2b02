# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Bias metrics without an oracle: what must hold for any data, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap, norm

import visionbias as vb
from visionbias.metrics import (
    CATEGORIES16,
    accuracy,
    channel_fit,
    decide16,
    error_consistency,
    feature_reliance,
    psychometric_fit,
    shape_bias,
    spectral_bias,
)

SDS = [0.0, 0.02, 0.04, 0.08, 0.16]


def test_decisions_do_not_depend_on_a_shift_of_the_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (50, 1000))
    assert np.array_equal(decide16(logits), decide16(logits + 700))
    bear = np.full((1, 1000), -50.0)
    bear[0, 294] = 50
    assert CATEGORIES16[decide16(bear)[0]] == "bear"


@pytest.mark.parametrize("shape", [(1000,), (2, 999), (2, 3, 1000)])
def test_logits_of_another_shape(shape):
    with pytest.raises(vb.ShapeError, match=r"logits must be \[N, 1000\]"):
        decide16(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers(value):
    logits = np.zeros((4, 1000))
    logits[2, 7] = value
    with pytest.raises(vb.DataError, match=r"1 of 4 rows, such as \[2\]"):
        decide16(logits)


def test_shape_bias_by_hand():
    shape = ["cat", "cat", "dog", "dog", "dog", "cat"]
    texture = ["dog", "dog", "cat", "cat", "cat", "cat"]
    decision = ["cat", "dog", "dog", None, "car", "cat"]
    result = shape_bias(shape, texture, decision)
    assert (result.n, result.n_shape, result.n_texture) == (5, 2, 1)
    assert result.shape_bias == 2 / 3
    assert result.cue_accuracy == 3 / 5
    assert result.interval[0] < 2 / 3 < result.interval[1]
    assert result.per_category["cat"].shape_bias == 0.5
    assert (result.per_category["dog"].n, result.per_category["dog"].n_texture) == (3, 0)
    for missing in ("na", float("nan")):
        again = shape_bias(shape, texture, [missing if d is None else d for d in decision])
        assert again.n_shape == 2


def test_shape_bias_of_indices_and_swapped_roles():
    rng = np.random.default_rng(1)
    shape, texture, decision = rng.integers(0, 6, (3, 500))
    bias, other = shape_bias(shape, texture, decision), shape_bias(texture, shape, decision)
    assert bias.shape_bias == pytest.approx(1 - other.shape_bias)
    assert (bias.n_shape, bias.n) == (other.n_texture, other.n)
    order = rng.permutation(500)
    assert shape_bias(shape[order], texture[order], decision[order]) == bias
    nothing = shape_bias([0, 1], [1, 0], [2, 2])
    assert np.isnan(nothing.shape_bias)
    assert nothing.cue_accuracy == 0


def test_decisions_that_are_missing_or_none_of_the_categories():
    shape, texture = ["cat", "dog", "cat", "dog"], ["dog", "cat", "dog", "cat"]
    decision = pd.array(["cat", None, "na", "cat"], dtype="string")
    result = shape_bias(pd.array(shape, dtype="string"), texture, decision)
    assert (result.n, result.n_shape, result.n_texture) == (4, 1, 1)
    undecided = shape_bias(shape, texture, [None] * 4)
    assert np.isnan([undecided.shape_bias, *undecided.interval]).all()
    assert (undecided.n, undecided.cue_accuracy) == (4, 0)


def test_shape_bias_of_one_kind_of_decision():
    """Wilson's interval of 0 and of 1, as z^2 / (n + z^2) gives it."""
    z2 = norm.ppf(0.975) ** 2
    by_shape = shape_bias([0] * 8, [1] * 8, [0] * 8)
    assert by_shape.shape_bias == 1
    assert by_shape.interval == pytest.approx((8 / (8 + z2), 1), abs=1e-12)
    by_texture = shape_bias([0] * 8, [1] * 8, [1] * 8)
    assert by_texture.shape_bias == 0
    assert by_texture.interval == pytest.approx((0, z2 / (8 + z2)), abs=1e-12)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_cues_that_are_missing_are_named(missing):
    """A decision that is missing too would follow a missing shape."""
    with pytest.raises(vb.DataError, match=r"missing in 1 of 2 images, such as \[1\]"):
        shape_bias(["cat", missing], ["dog", "cat"], ["cat", missing])


def test_names_and_indices_do_not_meet():
    with pytest.raises(vb.DataError, match="categories such as 'cat' and decisions such as 7; try CATEGORIES16"):
        shape_bias(["cat", "dog"], ["dog", "cat"], [7, 10])
    with pytest.raises(vb.DataError, match="all as names or all as indices"):
        shape_bias([7, 10], [10, 7], ["cat", "dog"])


def test_shape_bias_needs_conflict():
    with pytest.raises(vb.DataError, match="agree in all 2 images"):
        shape_bias(["cat", "dog"], ["cat", "dog"], ["cat", "cat"])
    with pytest.raises(vb.ShapeError, match=r"got \(2,\), \(1,\), \(2,\)"):
        shape_bias(["cat", "dog"], ["cat"], ["cat", "cat"])


def test_error_consistency():
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 20_000)) < 0.7
    assert error_consistency(a, a) == 1
    assert abs(error_consistency(a, b)) < 0.03
    assert error_consistency(a, b) == error_consistency(b, a) == pytest.approx(error_consistency(~a, ~b))
    assert error_consistency(a, ~a) < 0
    assert error_consistency([True] * 5, [True] * 5) == 1
    assert np.isnan(error_consistency([], []))
    with pytest.raises(vb.ShapeError, match="of the same images"):
        error_consistency(a, b[1:])


def responses(**changes):
    row = {"subj": "s", "session": "1", "trial": "1", "rt": "0.5", "object_response": "cat", "category": "cat"}
    return row | {"condition": "0", "imagename": "0001_x_cat7-elephant1.png"} | changes


def write_csv(path, *rows):
    path.write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n")
    return path


def test_responses_are_read(tmp_path):
    path = write_csv(tmp_path / "a.csv", responses(), responses(object_response="na"))
    for source in (path, tmp_path, [path]):
        table = vb.metrics.read_responses(source)
        assert table["image"].tolist() == ["cat7-elephant1.png"] * 2
        assert table["texture"].tolist() == ["elephant"] * 2
        assert table["response"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imagename": "photo.png"}, "line 2: imagename 'photo.png'"),
        ({"object_response": "tree"}, "line 2: object_response 'tree'"),
        ({"category": "dog"}, "line 2: category 'dog'"),
    ],
)
def test_responses_that_do_not_parse(tmp_path, changes, message):
    with pytest.raises(vb.DataError, match=message):
        vb.metrics.read_responses(write_csv(tmp_path / "a.csv", responses(**changes)))


def test_responses_among_one_s_own_classes(tmp_path):
    names = {"category": "mug", "object_response": "shoe", "imagename": "mug3-shoe1.png"}
    path = write_csv(tmp_path / "a.csv", responses(**names))
    table = vb.metrics.read_responses(path, categories=("mug", "shoe"))
    assert table[["shape", "texture", "response"]].to_numpy().tolist() == [["mug", "shoe", "shoe"]]
    with pytest.raises(vb.DataError, match=r"object_response 'shoe'; wanted one of airplane, .*categories="):
        vb.metrics.read_responses(path)


def test_responses_that_are_not_there(tmp_path):
    for nothing in (None, 5, [5]):
        with pytest.raises(vb.DataError, match="wanted a CSV file, a folder or a list of them"):
            vb.metrics.read_responses(nothing)
    with pytest.raises(vb.DataError, match="no CSV files"):
        vb.metrics.read_responses(tmp_path)
    with pytest.raises(vb.DataError, match="cannot read the responses"):
        vb.metrics.read_responses(tmp_path / "absent.csv")
    row = responses()
    del row["imagename"]
    with pytest.raises(vb.DataError, match="imagename missing"):
        vb.metrics.read_responses(write_csv(tmp_path / "a.csv", row))


def test_thresholds_count_levels_from_the_strongest():
    accuracy = np.full((5, 7), 80.0)
    accuracy[4, 0] = 50  # not strictly above
    accuracy[2:, 1] = 10
    accuracy[:, 2] = 10
    accuracy[4, 3] = 10
    accuracy[2, 3] = 10  # not monotone: the first level above counts
    assert channel_fit(accuracy, SDS).thresholds.tolist() == [1, 3, 4, 1, 0, 0, 0]
    order = [3, 0, 4, 1, 2]
    again = channel_fit(accuracy[order], np.array(SDS)[order])
    assert again.thresholds.tolist() == [1, 3, 4, 1, 0, 0, 0]
    relative = channel_fit(accuracy / 4, SDS, criterion="relative")
    assert relative.thresholds[:2].tolist() == [0, 3]  # half of 20 is less than 12.5


def test_constant_thresholds_determine_no_channel():
    fit = channel_fit(np.full((5, 7), 10.0), SDS)
    assert fit.thresholds.tolist() == [4] * 7
    assert not fit.identifiable
    assert np.isnan([fit.mu, fit.sigma, fit.bandwidth, fit.center_frequency, fit.peak_noise_sensitivity]).all()


@pytest.mark.parametrize(
    ("accuracy", "sds", "options", "message"),
    [
        (np.zeros((5, 7)), SDS[:4], {}, r"\(5, 7\), \(4,\)"),
        (np.zeros((5, 2)), SDS, {}, "three bands or more"),
        (np.full((5, 7), np.nan), SDS, {}, "without NaN"),
        (np.full((5, 7), 101.0), SDS, {}, "in percent"),
        (np.zeros((5, 7)), [0.1, 0.2, 0.3, 0.4, 0.5], {}, "0 once"),
        (np.zeros((5, 7)), [0, 0, 0.3, 0.4, 0.5], {}, "0 once"),
        (np.zeros((5, 7)), SDS, {"criterion": "half"}, "'absolute' or 'relative'"),
        (np.zeros((5, 7)), SDS, {"bands": [1, 2]}, "7 different numbers"),
    ],
)
def test_channels_of_bad_input(accuracy, sds, options, message):
    with pytest.raises(vb.ShapeError, match=message):
        channel_fit(accuracy, sds, **options)


def test_what_is_no_number():
    for call in (
        lambda: decide16("a"),
        lambda: channel_fit("a", SDS),
        lambda: channel_fit(np.zeros((5, 7)), SDS, bands=["x"] * 7),
        lambda: channel_fit(np.zeros((5, 7)), SDS, threshold="half"),
        lambda: channel_fit(np.zeros((5, 7)), SDS, threshold=100),
        lambda: psychometric_fit(np.zeros((5, 5, 7)), SDS, resamples=0),
        lambda: channel_fit(np.zeros((5, 7)), SDS, bands=[np.nan, 1, 2, 3, 4, 5, 6]),
        lambda: channel_fit(np.zeros((5, 7)), SDS, octave_zero_cpi="low"),
        lambda: psychometric_fit(np.zeros((5, 5, 7)), SDS, octave_zero_cpi=0),
        lambda: decide16(np.zeros((2, 1000)) + 1j),
        lambda: decide16([[1.0], [1.0, 2.0]]),
        lambda: decide16(torch.zeros(2, 1000, requires_grad=True)),
        lambda: decide16(torch.zeros(2, 1000, dtype=torch.bfloat16)),
        lambda: shape_bias(["a"], ["b"], ["a"], confidence=2),
    ):
        with pytest.raises(vb.ShapeError, match=r"must be|wanted"):
            call()
    assert shape_bias([1, "a"], ["a", 1], [1, 1]).n == 2


def test_errors_name_the_function_that_was_called():
    with pytest.raises(vb.ShapeError, match=r"^psychometric_fit: noise_sds"):
        psychometric_fit(np.zeros((5, 5, 7)), [0, 0, 1, 2, 3])
    with pytest.raises(vb.ShapeError, match=r"^channel_fit: noise_sds"):
        channel_fit(np.zeros((5, 7)), [0, 0, 1, 2, 3])


@pytest.mark.parametrize("value", [np.nan, None, "False", 3, 0.5, pd.NA])
def test_what_is_neither_right_nor_wrong_is_refused(value):
    """As truth values NaN, texts and predictions would count as correct answers."""
    wrong = np.array([value, 0, 1], dtype=object if value is pd.NA or value is None else None)
    for call in (
        lambda: accuracy(wrong),
        lambda: error_consistency(wrong, [1, 0, 0]),
        lambda: error_consistency([1, 0, 0], wrong),
        lambda: feature_reliance(wrong, np.ones((3, 1))),
        lambda: feature_reliance([1, 0, 0], wrong[:, None]),
        lambda: spectral_bias([1, 0, 0], wrong[:, None], np.ones((3, 1)), [0.3]),
        lambda: psychometric_fit(np.broadcast_to(wrong[:, None, None], (3, 5, 7)), SDS),
    ):
        with pytest.raises(vb.ShapeError, match="must hold True and False"):
            call()


def test_right_and_wrong_in_every_form():
    for right in ([True, False], [1, 0], [1.0, 0.0], np.array([True, False], dtype=object), pd.Series([True, False])):
        assert accuracy(right).accuracy == 0.5
        assert error_consistency(right, right) == 1


def simulated(n, thresholds, seed=0):
    """Correctness of n samples whose accuracy falls from 1 to 0 over 3 octaves, 1/2 at each band's threshold."""
    octaves = np.array([5.0, 3.0, 2.0, 1.0, 0.0])  # below the strongest; without noise as good as far below
    octaves[0] = 40.0
    p = np.clip(0.5 + (octaves[:, None] - np.asarray(thresholds)) / 3, 0, 1)
    return np.random.default_rng(seed).random((n, 5, 7)) < p


def test_psychometric_thresholds_are_found():
    channel = 2.8 * np.exp(-((np.arange(7) - 3.2) ** 2) / (2 * 1.4**2))
    truth = np.maximum(channel, 0.3)
    fit = psychometric_fit(simulated(2000, truth), SDS)
    inside = (truth >= fit.thresholds_interval[0] - 0.05) & (truth <= fit.thresholds_interval[1] + 0.05)
    assert inside.all()
    assert fit.identifiable
    for name in ("bandwidth", "center_frequency", "peak_noise_sensitivity"):
        low, high = getattr(fit, f"{name}_interval")
        assert low <= getattr(fit, name) <= high
    assert fit.peak_noise_sensitivity == pytest.approx(2.0 ** (truth.max() - 4), rel=0.1)
    assert psychometric_fit(simulated(2000, truth), SDS).thresholds.tolist() == fit.thresholds.tolist()


def test_whole_and_continuous_thresholds_agree_at_the_levels():
    correct = simulated(500, [0.4, 0.8, 1.2, 1.7, 2.4, 2.9, 1.5])
    whole = channel_fit(100 * correct.mean(axis=0), SDS).thresholds
    assert np.ceil(psychometric_fit(correct, SDS, resamples=2).thresholds).tolist() == whole.tolist()


def exactly(tenths):
    """Correctness of ten samples with these accuracies [S, B] in tenths."""
    return np.arange(10)[:, None, None] < np.asarray(tenths)[None]


def test_thresholds_by_hand():
    """Rows from no noise to the strongest, which stands at octave 0."""
    tenths = np.array([[8, 8, 8, 4], [8, 9, 8, 4], [8, 3, 8, 3], [4, 6, 8, 2], [2, 2, 8, 1]])
    # 40 % to 80 % between octaves 1 and 2; 20 % to 60 % at once, though 30 % comes later; never below; never above
    absolute = psychometric_fit(exactly(tenths), SDS, resamples=1).thresholds
    assert absolute == pytest.approx([1.25, 0.75, 0, np.nan], nan_ok=True)
    # Half of 80 % and of 40 %: 40 % is not above half of 80 %.
    relative = psychometric_fit(exactly(tenths), SDS, criterion="relative", resamples=1).thresholds
    assert relative == pytest.approx([1, 0.5, 0, 1])
    assert channel_fit(10 * tenths, SDS, criterion="relative").thresholds.tolist() == [2, 1, 0, 2]
    # Four octaves from 0.16 to 0.01, and no noise one octave further
    rows = exactly([[9, 9, 9], [7, 2, 3], [3, 1, 2]])
    uneven = psychometric_fit(rows, [0, 0.01, 0.16], resamples=1).thresholds
    assert uneven == pytest.approx([2, 4 + 3 / 7, 4 + 2 / 6])


def test_intervals_are_those_of_a_bootstrap_over_samples():
    correct = simulated(400, [0.6, 1.3, 2.2, 1.4, 0.7, 0.5, 0.3], seed=4)

    def peak(*levels, axis=-1):  # four noise levels of band 2, from the strongest
        accuracies = np.stack([level.mean(axis=axis) for level in levels], axis=-1)
        found = [np.interp(0.5, row, [0, 1, 2, 3]) for row in accuracies.reshape(-1, 4)]
        return np.reshape(found, accuracies.shape[:-1])

    levels = tuple(correct[:, row, 2] for row in (4, 3, 2, 1))
    options = {"paired": True, "method": "percentile", "n_resamples": 2000, "rng": np.random.default_rng(1)}
    wanted = bootstrap(levels, peak, **options).confidence_interval
    fit = psychometric_fit(correct, SDS, resamples=1000)
    assert fit.thresholds[2] == pytest.approx(float(peak(*levels)), abs=1e-12)
    assert fit.thresholds_interval[:, 2] == pytest.approx([wanted.low, wanted.high], abs=0.03)


def test_extremes_are_censored():
    never, always = np.zeros((20, 5, 7), bool), np.ones((20, 5, 7), bool)
    blind = psychometric_fit(never, SDS, resamples=2)
    assert np.isnan([*blind.thresholds, blind.peak_noise_sensitivity, *blind.peak_noise_sensitivity_interval]).all()
    unshaken = psychometric_fit(always, SDS, resamples=2)
    assert unshaken.thresholds.tolist() == [0] * 7
    assert np.isneginf(unshaken.thresholds_interval[0]).all()
    assert unshaken.peak_noise_sensitivity == unshaken.peak_noise_sensitivity_interval[1] == 2.0**-4
    assert unshaken.peak_noise_sensitivity_interval[0] == 0
    assert not unshaken.identifiable
    with pytest.raises(vb.ShapeError, match=r"correct must be \[N, S, B\]"):
        psychometric_fit(never[0], SDS)


@pytest.mark.parametrize("right", [20, 22])
def test_thresholds_of_one_answer_at_the_criterion(right):
    """At, or next to, 50 % without noise a resample finds all thresholds at one end or none, never one between."""
    fit = psychometric_fit(np.broadcast_to((np.arange(40) < right)[:, None, None], (40, 5, 7)), SDS)
    assert np.isnan([fit.peak_noise_sensitivity, *fit.peak_noise_sensitivity_interval, fit.bandwidth]).all()
    assert not fit.identifiable


def test_feature_reliance():
    rng = np.random.default_rng(3)
    clean = rng.random(4000) < 0.8
    halved = clean & (rng.random(4000) < 0.5)
    result = feature_reliance(clean, np.column_stack([clean, halved]))
    assert result.relative_accuracy[0] == 1
    assert result.relative_accuracy[1] == pytest.approx(0.5, abs=0.03)
    assert result.reliance == pytest.approx(0.25, abs=0.02)
    assert result.interval[0] < result.reliance < result.interval[1]
    assert np.isnan(feature_reliance(np.zeros(5, bool), np.zeros((5, 1), bool)).reliance)
    with pytest.raises(vb.ShapeError, match="feature_reliance"):
        feature_reliance(clean, halved)


@pytest.mark.parametrize("n", [100, 1000])
def test_a_model_of_one_answer_has_an_interval(n):
    """It is as right without the feature as with it in all n samples, but need not be in those not seen."""
    right = np.arange(n) % 10 == 0
    result = feature_reliance(right, np.column_stack([right, right]))
    unseen = 1 - 0.025 ** (1 / n)  # Clopper and Pearson's limit for none of n
    seen = 0.1 * (1 - unseen)
    assert result.reliance == 0
    assert result.interval == pytest.approx((1 - (seen + unseen) / seen, 1 - seen / (seen + unseen)), abs=1e-12)
