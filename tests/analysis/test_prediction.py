# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Leave-one-out prediction: against a loop that leaves each model out, by hand, and where nothing is determined."""

import numpy as np
import pandas as pd
import pytest

import visionbias as vb
from visionbias.analysis import leave_one_out


def table(n: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    a, b, clean = rng.normal(size=(3, n))
    frame = pd.DataFrame({"a": a, "b": b * 1e-6 + 5, "clean": clean})
    return frame.assign(
        x=a - 2e6 * (frame["b"] - 5) + rng.normal(size=n), y=clean, category=["plain", "robust"] * (n // 2)
    )


def by_loop(x: np.ndarray, y: np.ndarray) -> float:  # [N, P], [N]
    errors, by_mean = [], []
    for i in range(len(y)):
        rest = np.delete(np.arange(len(y)), i)
        design = np.column_stack([np.ones(len(y)), x])
        weights = np.linalg.lstsq(design[rest], y[rest], rcond=None)[0]
        errors.append(y[i] - design[i] @ weights)
        by_mean.append(y[i] - y[rest].mean())
    return 1 - np.square(errors).sum() / np.square(by_mean).sum()


def r2(frame: pd.DataFrame, target: str, predictor: str) -> float:
    (value,) = frame.loc[(frame["target"] == target) & (frame["predictor"] == predictor), "r2"]
    return float(value)


def test_against_a_loop() -> None:
    models = table()
    frame = leave_one_out(models, ["a", "b"], ["x", "y"], clean="clean")
    assert frame["predictor"].tolist() == ["a", "b", "all features", "clean"] * 2
    assert (frame["n"] == 20).all()
    scaled = models.assign(b=(models["b"] - 5) * 1e6)
    for target in ("x", "y"):
        for predictor, names in {"a": ["a"], "b": ["b"], "all features": ["a", "b"], "clean": ["clean"]}.items():
            wanted = by_loop(scaled[names].to_numpy(), models[target].to_numpy())
            assert r2(frame, target, predictor) == pytest.approx(wanted, abs=1e-7)
    assert r2(frame, "y", "clean") == pytest.approx(1, abs=1e-12)
    assert r2(frame, "x", "all features") > max(r2(frame, "x", "a"), r2(frame, "x", "b")) > 0
    assert r2(frame, "y", "a") < 0.1


def test_by_hand() -> None:
    """y = 0 0 0 0 1 at x = 0 1 2 3 4: leverages .6 .3 .2 .3 .6, residuals .2 0 -.2 -.4 .4 of the line x / 5 - .2.

    Predicted by the mean of the others, .25 four times and 0, the squared errors are 4 / 16 and 1.
    """
    frame = leave_one_out(pd.DataFrame({"bias": range(5), "accuracy": [0, 0, 0, 0, 1]}), ["bias"], ["accuracy"])
    press = (0.2 / 0.4) ** 2 + 0 + (0.2 / 0.8) ** 2 + (0.4 / 0.7) ** 2 + (0.4 / 0.4) ** 2
    assert frame.to_numpy().tolist() == [["accuracy", "bias", pytest.approx(1 - press / 1.25, abs=1e-12), 5]]


def test_scale_and_order_do_not_matter() -> None:
    models = table()
    wanted = leave_one_out(models, ["a", "b"], ["x"])["r2"]
    changed = models.assign(a=-7e6 * models["a"] + 100, x=3 * models["x"] - 2).sample(frac=1, random_state=0)
    np.testing.assert_allclose(leave_one_out(changed, ["a", "b"], ["x"])["r2"], wanted, atol=1e-7)


def test_a_column_that_follows_from_others_adds_nothing() -> None:
    models = table()
    doubled = models.assign(c=2 * models["a"] + 1, d=3)
    frame = leave_one_out(doubled, ["a", "c", "d"], ["x"])
    assert r2(frame, "x", "all features") == pytest.approx(r2(frame, "x", "a"), abs=1e-10)
    assert np.isnan(r2(frame, "x", "d"))


def test_a_target_does_not_predict_itself() -> None:
    frame = leave_one_out(table(), ["a", "b", "x"], ["x", "clean"], clean="clean")
    assert frame["predictor"].tolist() == ["a", "b", "all features", "clean", "a", "b", "x", "all features"]
    assert r2(frame, "x", "all features") == pytest.approx(
        r2(leave_one_out(table(), ["a", "b"], ["x"]), "x", "all features")
    )


def test_missing_numbers_and_kinds_left_out() -> None:
    models = table()
    models.loc[0, "a"] = np.nan
    frame = leave_one_out(models, ["a", "b"], ["x"])
    assert frame["n"].tolist() == [19, 20, 19]
    without = leave_one_out(models, ["a", "b"], ["x"], without=["robust"])
    pd.testing.assert_frame_equal(without, leave_one_out(models.iloc[::2], ["a", "b"], ["x"]))
    numbered = models.assign(category=[0, 1] * 10)
    pd.testing.assert_frame_equal(leave_one_out(numbered, ["a", "b"], ["x"], without=["1"]), without)


def test_numbers_near_the_largest_do_not_overflow() -> None:
    models = table()
    large = models.assign(
        a=models["a"] / models["a"].abs().max() * 1e308, x=models["x"] / models["x"].abs().max() * 1e308
    )
    np.testing.assert_allclose(leave_one_out(large, ["a"], ["x"])["r2"], leave_one_out(models, ["a"], ["x"])["r2"])


def test_nothing_is_predicted_from_too_little() -> None:
    models = table()
    assert leave_one_out(models.iloc[:4], ["a"], ["x"])["r2"].isna().all()
    assert leave_one_out(models.iloc[:5], ["a", "b", "clean"], ["x"])["r2"].isna().tolist() == [False] * 3 + [True]
    assert leave_one_out(models.assign(x=1), ["a"], ["x"])["r2"].isna().all()
    alone = models.assign(a=[1.0] + [0.0] * 19)  # the first model alone determines its slope
    assert leave_one_out(alone, ["a"], ["x"])["r2"].isna().all()


def test_input_that_cannot_be_used() -> None:
    with pytest.raises(vb.DataError, match="clean must be the name of one column"):
        leave_one_out(table(), ["a"], ["x"], clean=["clean"])  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match="leave_one_out: the table has no column z"):
        leave_one_out(table(), ["z"], ["x"])
    with pytest.raises(vb.DataError, match="targets must be a list"):
        leave_one_out(table(), ["a"], "x")
