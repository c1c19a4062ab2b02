# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Correlations: coefficients by hand and by SciPy, intervals against a plain loop, and input that cannot be used."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import visionbias as vb
from visionbias.analysis import resampling, undetermined

TESTS = {"spearman": stats.spearmanr, "kendall": stats.kendalltau, "pearson": stats.pearsonr}
COLUMNS = ["feature", "target", "method", "rho", "p", "p_adjusted", "low", "high", "n"]


def table(n: int = 30, seed: int = 0) -> pd.DataFrame:
    """Biases `a` and `b` (with ties), benchmarks `x` and `y`, of which `x` follows `a`."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    return pd.DataFrame(
        {
            "model": [f"m{i:02d}" for i in range(n)],
            "a": a,
            "b": rng.integers(0, 4, n),
            "x": a + rng.normal(size=n),
            "y": rng.normal(size=n),
            "clean": a + 0.1 * rng.normal(size=n),
            "category": ["plain", "robust"] * (n // 2) + ["plain"] * (n % 2),
        }
    )


def row(frame: pd.DataFrame, feature: str, target: str, method: str) -> pd.Series:
    (index,) = frame.index[(frame[["feature", "target", "method"]] == [feature, target, method]).all(axis=1)]
    return frame.loc[index]


def test_a_row_a_pair_and_method_and_the_published_columns() -> None:
    frame = vb.correlate(table(), features=["a", "b"], targets=["x", "y"])
    assert list(frame.columns) == COLUMNS
    pairs = itertools.product(["a", "b"], ["x", "y"], ["spearman", "kendall", "pearson"])
    assert list(frame[["feature", "target", "method"]].itertuples(index=False, name=None)) == list(pairs)
    assert (frame["n"] == 30).all()
    assert ((frame["low"] <= frame["rho"]) & (frame["rho"] <= frame["high"])).all()


def test_by_hand() -> None:
    """Five models, one tie: ranks 1 2.5 2.5 4 5 and 2 1 3 5 4."""
    five = pd.DataFrame({"bias": [1, 2, 2, 3, 4], "accuracy": [20, 10, 30, 50, 40]})
    frame = vb.correlate(five, features=["bias"], targets=["accuracy"])
    # Deviations of ranks -2 -0.5 -0.5 1 2 and -1 -2 0 2 1: 7 / sqrt(9.5 * 10).
    assert row(frame, "bias", "accuracy", "spearman")["rho"] == pytest.approx(7 / np.sqrt(95), abs=1e-12)
    # 7 pairs agree and 2 do not, of 9 that differ in bias and 10 in accuracy.
    assert row(frame, "bias", "accuracy", "kendall")["rho"] == pytest.approx(5 / np.sqrt(90), abs=1e-12)
    # Deviations -1.4 -0.4 -0.4 0.6 1.6 and -10 -20 0 20 10: 50 / sqrt(5.2 * 1000).
    assert row(frame, "bias", "accuracy", "pearson")["rho"] == pytest.approx(50 / np.sqrt(5200), abs=1e-12)


@pytest.mark.parametrize("method", TESTS)
@pytest.mark.parametrize(("feature", "target"), [("a", "x"), ("b", "y")])
def test_coefficients_and_p_are_those_of_scipy(method: str, feature: str, target: str) -> None:
    models = table()
    found = row(vb.correlate(models, [feature], [target], methods=[method]), feature, target, method)
    wanted = TESTS[method](models[feature], models[target])
    assert found["rho"] == pytest.approx(wanted.statistic, abs=1e-12)
    assert found["p"] == pytest.approx(wanted.pvalue, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=12), st.integers(0, 99))
def test_resamples_are_those_of_a_loop(points: list[tuple[int, int]], seed: int) -> None:
    """Every coefficient of every resample, with ties and with resamples that are constant."""
    x, y = np.array(points, dtype=float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    weights = resampling.bootstrap_weights(len(x), 20, seed)
    assert (weights.sum(axis=1) == len(x)).all()
    for method, test in TESTS.items():
        found = resampling.COEFFICIENTS[method](x, y, weights)
        for drawn, value in zip(weights.astype(int), found, strict=True):
            of_x, of_y = np.repeat(x, drawn), np.repeat(y, drawn)
            constant = np.ptp(of_x) == 0 or np.ptp(of_y) == 0
            assert np.isnan(value) if constant else value == pytest.approx(test(of_x, of_y).statistic, abs=1e-10)


def test_a_constant_resample_is_found_where_its_mean_is_rounded() -> None:
    x, y = np.array([0.1] * 6 + [0.7]), np.arange(7.0)
    weights = resampling.bootstrap_weights(7, 500, 0)
    for method in TESTS:
        found = resampling.COEFFICIENTS[method](x, y, weights)
        assert (np.isnan(found) == (weights[:, -1] == 0)).all()


def test_intervals_are_percentiles_of_resamples() -> None:
    models = table(12)
    found = row(vb.correlate(models, ["a"], ["x"], resamples=500, seed=3, confidence=0.9), "a", "x", "kendall")
    points = models[["a", "x"]].sort_values(["x", "a"]).to_numpy()
    drawn = np.random.default_rng(3).integers(0, 12, (500, 12))
    values = [stats.kendalltau(*points[index].T).statistic for index in drawn]
    np.testing.assert_allclose(found[["low", "high"]].astype(float), np.quantile(values, [0.05, 0.95]), atol=1e-12)


def test_large_offsets_do_not_cost_digits() -> None:
    x, y = np.random.default_rng(5).normal(size=(2, 20))
    weights = resampling.bootstrap_weights(20, 50, 0)
    plain = resampling.pearson(x, y, weights)
    np.testing.assert_allclose(resampling.pearson(1e6 + x, 1e200 * y, weights), plain, atol=1e-8)


def test_coverage_of_the_interval() -> None:
    """Of 200 samples of 40 models with known correlation, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        a, noise = rng.normal(size=(2, 40))
        sample = pd.DataFrame({"a": a, "x": 0.5 * a + np.sqrt(0.75) * noise})
        found = vb.correlate(sample, ["a"], ["x"], methods=["pearson"], resamples=400).iloc[0]
        hits += found["low"] <= 0.5 <= found["high"]
    assert 178 <= hits <= 198


def test_order_of_models_changes_no_bit() -> None:
    models = table()
    wanted = vb.correlate(models, ["a", "b"], ["x"], given="clean")
    pd.testing.assert_frame_equal(
        vb.correlate(models.sample(frac=1, random_state=1), ["a", "b"], ["x"], given="clean"), wanted, check_exact=True
    )
    other_seed = vb.correlate(models, ["a", "b"], ["x"], given="clean", seed=1)
    assert (other_seed["low"] != wanted["low"]).any()
    assert (other_seed["rho"] == wanted["rho"]).all()


def test_rank_methods_do_not_see_a_monotone_change_of_scale() -> None:
    models = table()
    rank = ["spearman", "kendall"]
    wanted = vb.correlate(models, ["a"], ["x"], methods=rank)
    changed = vb.correlate(models.assign(a=np.exp(models["a"])), ["a"], ["x"], methods=rank)
    np.testing.assert_allclose(changed[COLUMNS[3:]], wanted[COLUMNS[3:]], atol=1e-12)
    turned = vb.correlate(models.assign(a=-models["a"]), ["a"], ["x"])
    np.testing.assert_allclose(turned["rho"], -vb.correlate(models, ["a"], ["x"])["rho"], atol=1e-12)


def test_adjusted_within_each_method() -> None:
    frame = vb.correlate(table(), ["a", "b"], ["x", "y"])
    for method, rows in frame.groupby("method"):
        p = np.sort(rows["p"])
        by_hand = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
        np.testing.assert_allclose(np.sort(rows["p_adjusted"]), np.minimum(by_hand, 1), rtol=1e-12)
        alone = vb.correlate(table(), ["a", "b"], ["x", "y"], methods=[method])
        assert alone["p_adjusted"].tolist() == rows["p_adjusted"].tolist()


def test_partial_is_the_correlation_of_residual_ranks() -> None:
    models = table()
    found = row(vb.correlate(models, ["a"], ["x"], given="clean"), "a", "x", "partial_spearman")
    a, x, clean = (stats.rankdata(models[name]) for name in ("a", "x", "clean"))
    residuals = [v - np.polyval(np.polyfit(clean, v, 1), clean) for v in (a, x)]
    rho = stats.pearsonr(*residuals).statistic
    assert found["rho"] == pytest.approx(rho, abs=1e-10)
    # The t test of a slope in a regression of ranks on both: 27 degrees of freedom.
    t = rho * np.sqrt(27 / (1 - rho**2))
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), 27), rel=1e-8)
    assert found["low"] < found["rho"] < found["high"]
    assert abs(found["rho"]) < row(vb.correlate(models, ["a"], ["x"]), "a", "x", "spearman")["rho"]


def test_partial_on_what_a_column_follows_is_undetermined() -> None:
    models = table()
    frame = vb.correlate(models.assign(a=models["clean"] ** 3), ["a"], ["x"], methods=["spearman"], given="clean")
    assert frame["rho"].isna().tolist() == [False, True]
    assert undetermined(frame).tolist() == ["", "a column is constant, or follows the given one exactly"]


def test_a_correlation_of_one_up_to_rounding_leaves_nothing_to_relate() -> None:
    nearly_one, half = np.array([1 - 2**-53]), np.array([0.5])
    assert np.isnan(resampling.partial(half, nearly_one, half))
    assert np.isnan(resampling.partial(half, half, -nearly_one))


def test_without_a_kind_of_models() -> None:
    models = table()
    wanted = vb.correlate(models[models["category"] == "plain"], ["a"], ["x"])
    pd.testing.assert_frame_equal(vb.correlate(models, ["a"], ["x"], without=["robust"]), wanted)
    renamed = models.rename(columns={"category": "kind"})
    pd.testing.assert_frame_equal(vb.correlate(renamed, ["a"], ["x"], without=["robust"], category="kind"), wanted)
    numbered = models.assign(category=models["category"].map({"plain": 0, "robust": 1}))
    pd.testing.assert_frame_equal(vb.correlate(numbered, ["a"], ["x"], without=["1"]), wanted)


def test_missing_numbers_leave_the_pair_alone() -> None:
    models = table()
    models.loc[3, "a"], models.loc[4, "x"], models.loc[5, "y"] = np.nan, np.inf, -np.inf
    frame = vb.correlate(models, ["a", "b"], ["x", "y"], methods=["spearman"])
    assert frame["n"].tolist() == [28, 28, 29, 29]
    kept = models.drop(index=[3, 4])
    assert frame["rho"][0] == pytest.approx(stats.spearmanr(kept["a"], kept["x"]).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "known", "reason"),
    [
        (0, False, "n = 0; a correlation needs two models"),
        (1, False, "n = 1; a correlation needs two models"),
        (2, True, "n = 2; p and interval need 5 models"),
        (4, True, "n = 4; p and interval need 5 models"),
        (5, True, ""),
    ],
)
def test_few_models(n: int, known: bool, reason: str) -> None:
    frame = vb.correlate(table(30).iloc[:n], ["a"], ["x"], given="clean")
    assert (frame["n"] == n).all()
    three = frame[frame["method"] != "partial_spearman"]
    assert three["rho"].notna().all() == known
    numbers = three[["p", "p_adjusted", "low", "high"]]
    assert numbers.notna().all(axis=None) == (n >= 5)
    assert numbers.isna().all(axis=None) == (n < 5)
    assert set(undetermined(three)) == {reason}


@pytest.mark.parametrize("constant", [[7] * 30, [0.1 + 0.2] * 15 + [0.3] * 15, [0] * 30])
def test_constant_columns(constant: list[float]) -> None:
    frame = vb.correlate(table().assign(a=constant), ["a", "b"], ["x"])
    assert frame.loc[frame["feature"] == "a", ["rho", "p", "p_adjusted", "low", "high"]].isna().all(axis=None)
    assert frame.loc[frame["feature"] == "b", "p_adjusted"].notna().all()
    assert undetermined(frame).tolist() == ["a column is constant"] * 3 + [""] * 3


def test_a_column_that_hangs_on_one_model_has_no_interval() -> None:
    """A third of the resamples of six models lack the only one that differs."""
    six = table().iloc[:6].assign(a=[1, 0, 0, 0, 0, 0])
    frame = vb.correlate(six, ["a"], ["x"])
    assert frame[["rho", "p"]].notna().all(axis=None)
    assert frame[["low", "high"]].isna().all(axis=None)
    assert set(undetermined(frame)) == {"too many resamples are constant for an interval"}


def test_a_column_is_not_paired_with_itself() -> None:
    frame = vb.correlate(table(), ["a", "x"], ["a", "x"], methods=["kendall"])
    assert frame[["feature", "target"]].to_numpy().tolist() == [["a", "x"], ["x", "a"]]
    with pytest.raises(vb.DataError, match="no pair"):
        vb.correlate(table(), ["a"], ["a"])


def test_columns_of_any_kind_of_number() -> None:
    models = table().astype({"b": "Int64", "x": str}).assign(y=[True, False, None] * 10)
    models.loc[2, "b"] = pd.NA
    frame = vb.correlate(models, ["a", "b"], ["x", "y"], methods=["spearman"])
    assert frame["n"].tolist() == [30, 20, 29, 20]
    assert frame["rho"].notna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["a", "nothing"]}, "no column nothing; it has model, a, b"),
        ({"features": ["category"]}, "'category' must hold numbers, got 'plain'; leave what is missing empty"),
        ({"features": "a"}, "features must be a list of names, got 'a'"),
        ({"features": []}, "features must be a list"),
        ({"features": [1]}, "features must be a list"),
        ({"targets": []}, "targets must be a list"),
        ({"methods": ["cosine"]}, "methods must be a list of spearman, kendall, pearson"),
        ({"methods": "kendall"}, "methods must be a list"),
        ({"methods": 3}, "methods must be a list"),
        ({"methods": [["spearman"]]}, "methods must be a list"),
        ({"given": ["clean"]}, "given must be the name of one column"),
        ({"given": "absent"}, "no column absent"),
        ({"resamples": 0}, "resamples must be a whole number of 1 to 1,000,000, got 0"),
        ({"resamples": 10**12}, "resamples must be a whole number of 1 to 1,000,000"),
        ({"confidence": 95}, "confidence must be between 0 and 1, got 95"),
        ({"confidence": "x"}, "confidence must be between 0 and 1, got 'x'"),
        ({"confidence": None}, "confidence must be between 0 and 1, got None"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, got -1"),
        ({"seed": 1.5}, "seed must be a whole number of 0 or more, got 1.5"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"without": ["robots"]}, "no model is of the kind robots; there are plain, robust"),
        ({"without": "robust"}, "without must be a list"),
        ({"without": ["robust"], "category": "kind"}, "needs a column 'kind'"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(vb.DataError, match=message.replace("(", r"\(")):
        vb.correlate(table(), **({"features": ["a"], "targets": ["x"]} | options))  # type: ignore[arg-type]


def test_tables_that_cannot_be_used() -> None:
    models = table()
    with pytest.raises(vb.DataError, match="wanted a DataFrame with a row a model, such as run"):
        vb.correlate({"a": [1, 2]}, ["a"], ["x"])  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match="the models m03 have two rows"):
        vb.correlate(pd.concat([models, models.iloc[3:4]]), ["a"], ["x"])
    with pytest.raises(vb.DataError, match="the columns a twice"):
        vb.correlate(pd.concat([models, models["a"]], axis=1), ["a"], ["x"])
    for column in (pd.to_datetime(["2020-01-01"] * 30), np.full(30, 1j), [[1]] * 30, [10**400] * 30):
        with pytest.raises(vb.DataError, match="column 'a' must hold numbers"):
            vb.correlate(models.assign(a=column), ["a"], ["x"])
    with pytest.raises(vb.DataError, match="undetermined: correlations must be what correlate returns"):
        undetermined(models)
