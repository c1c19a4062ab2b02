# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The verdict: its rule case by case, and its words."""

import numpy as np
import pandas as pd
import pytest

import visionbias as vb
from visionbias.analysis import verdict


def rows(*cells: tuple[str, str, float, float, float, float], n: int = 40) -> pd.DataFrame:
    """Correlations of (feature, target, rho, p_adjusted, low, high)."""
    frame = pd.DataFrame(cells, columns=["feature", "target", "rho", "p_adjusted", "low", "high"])
    return frame.assign(method="spearman", p=frame["p_adjusted"] / 2, n=n)


UP, DOWN, OPEN = (0.6, 0.001, 0.4, 0.8), (-0.5, 0.01, -0.7, -0.2), (0.1, 0.6, -0.2, 0.4)


@pytest.mark.parametrize(
    ("first", "second", "relation"),
    [
        (UP, UP, "rises"),
        (DOWN, DOWN, "falls"),
        (UP, DOWN, "divided"),
        (UP, OPEN, "unsure"),
        (UP, (0.3, 0.04, -0.01, 0.5), "unsure"),  # p alone is not enough
        (UP, (0.3, 0.06, 0.01, 0.5), "unsure"),  # nor is the interval
        (UP, (0.9, np.nan, np.nan, np.nan), "undetermined"),
    ],
)
def test_the_rule(first: tuple[float, ...], second: tuple[float, ...], relation: str) -> None:
    told = verdict(rows(("bias", "x", *first), ("bias", "y", *second)), {"both": ["x", "y"]})
    assert told.table["relation"].tolist() == [relation]
    assert told.table["rho_low"][0] == min(first[0], second[0])
    assert told.table["rho_high"][0] == max(first[0], second[0])


def test_words() -> None:
    frame = rows(
        *[("shape_bias", *cell) for cell in (("ID", *DOWN), ("robustness", *UP), ("concepts", *OPEN))],
        *[("lpp", *cell) for cell in (("ID", *OPEN), ("robustness", *OPEN), ("concepts", *OPEN))],
    )
    assert str(verdict(frame)).splitlines() == [
        "shape_bias: models with more of it score higher on robustness (0.60 [0.40, 0.80], adjusted p 0.001), and "
        "score lower on ID (-0.50 [-0.70, -0.20], adjusted p 0.01); no sure relation with concepts. 40 models.",
        "lpp: no sure relation with ID, robustness, concepts. 40 models.",
        "No bias predicts all of ID, robustness, concepts.",
    ]


def test_one_that_predicts_all_and_one_that_turns() -> None:
    frame = rows(("good", "x", *UP), ("good", "y", *UP), ("turns", "x", *UP), ("turns", "y", *DOWN))
    assert verdict(frame).sentences[-1] == "good: related to all of x, y, in one direction."
    assert verdict(frame[2:]).sentences[-1] == (
        "No bias predicts all of x, y; turns: related to each, but not in one direction."
    )


def test_a_rise_of_mce_is_a_fall() -> None:
    """By hand: six models, whose mCE rises with the bias as their accuracy falls."""
    table = pd.DataFrame({"bias": range(12), "acc": range(12, 0, -1), "imagenet_c_mce[partial]": range(12)})
    found = vb.correlate(table, ["bias"], ["acc", "imagenet_c_mce[partial]"], methods=["spearman"])
    assert found["rho"].tolist() == [-1.0, 1.0]
    alone = verdict(found)
    assert alone.table["relation"].tolist() == ["falls", "falls"]
    assert alone.sentences == (
        "bias: models with more of it score lower on acc (-1.00 [-1.00, -1.00], adjusted p below 1e-06), and do worse "
        "on imagenet_c_mce[partial] (1.00 [1.00, 1.00], adjusted p below 1e-06; of imagenet_c_mce[partial] lower is "
        "better). 12 models.",
        "bias: related to all of acc, imagenet_c_mce[partial], in one direction.",
    )
    together = verdict(found, {"robustness": ["acc", "imagenet_c_mce[partial]"]})
    assert together.table["relation"].tolist() == ["falls"]
    assert together.table["errors"].tolist() == [("imagenet_c_mce[partial]",)]
    assert "do worse on robustness (-1.00 to 1.00" in together.sentences[0]
    better = verdict(vb.correlate(table.assign(bias=range(12, 0, -1)), ["bias"], ["imagenet_c_mce[partial]"]))
    assert better.sentences[0].startswith("bias: models with more of it do better on imagenet_c_mce[partial] (-1.00")


def test_checks_tell_what_reverses() -> None:
    frame = rows(("bias", "x", *UP), ("bias", "y", *UP))
    checks = {"without A": rows(("bias", "x", *DOWN), ("bias", "y", *UP)), "without B": frame}
    told = verdict(frame, checks=checks)
    assert told.table["reversed_by"].tolist() == [("without A",), ()]
    assert "x (0.60 [0.40, 0.80], adjusted p 0.001, but the other way without A), y (0.60" in told.sentences[0]


def test_tiny_p_values_have_a_bound() -> None:
    assert "adjusted p below 1e-06)" in verdict(rows(("bias", "x", 0.9, 0.0, 0.8, 1.0))).sentences[0]


def test_few_models_are_told() -> None:
    assert verdict(rows(("bias", "x", *UP), n=8)).sentences[0].endswith("8 models, so few that p is too small.")
    nothing = rows(("bias", "x", 0.5, np.nan, np.nan, np.nan), n=4)
    assert verdict(nothing).sentences == (
        "bias: at least 5 models wanted for x. 4 models.",
        "Whether a bias predicts all of x cannot be said: too few models, 4 of at least 5.",
    )


def test_what_is_undetermined_is_not_denied() -> None:
    nothing = (0.5, np.nan, np.nan, np.nan)
    told = verdict(rows(("flat", "x", *nothing), ("flat", "y", *UP), ("open", "x", *OPEN), ("open", "y", *nothing)))
    assert told.sentences[0].endswith("; too little differs between models for x. 40 models.")
    assert told.sentences[-1] == "Of flat it cannot be said; no other bias predicts all of x, y."
    told = verdict(rows(("flat", "x", *nothing), ("flat", "y", *UP), ("good", "x", *UP), ("good", "y", *UP)))
    assert told.sentences[-1] == "good: related to all of x, y, in one direction; of flat it cannot be said."
    alone = verdict(rows(("flat", "x", *nothing), ("flat", "y", *UP)))
    assert alone.sentences[-1] == "Whether a bias predicts all of x, y cannot be said: see above."


def test_from_a_table_to_words() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    table = pd.DataFrame({"a": a, "b": rng.normal(size=30), "x": a + 0.3 * rng.normal(size=30), "y": 2 * a})
    told = verdict(vb.correlate(table, ["a", "b"], ["x", "y"], given="b"), {"all": ["x", "y"]}, method="kendall")
    assert told.table["relation"].tolist() == ["rises", "unsure"]
    assert told.sentences[-1] == "a: related to all of all, in one direction."


def test_a_feature_is_not_judged_by_itself() -> None:
    told = verdict(rows(("x", "y", *UP), ("y", "x", *UP)), {"both": ["x", "y"], "one": ["x"]})
    assert told.table[["feature", "group"]].to_numpy().tolist() == [["x", "both"], ["y", "both"], ["y", "one"]]
    assert [sentence.partition(":")[0] for sentence in told.sentences[:2]] == ["x", "y"]
    assert verdict(rows(("x", "y", *UP), ("y", "x", *UP))).table["group"].tolist() == ["y", "x"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correlations": pd.DataFrame({"a": [1]})}, "correlations must be what correlate returns"),
        ({"correlations": 3}, "must be what correlate returns, got int"),
        ({"correlations": rows(("bias", "x", *UP), ("bias", "x", *DOWN))}, "has two rows of bias and x"),
        ({"method": "kendall"}, "no rows of the method 'kendall'; it has spearman"),
        ({"groups": {"all": ["x", "z"]}}, "correlations has no row of 'bias' and z; correlate them too"),
        ({"groups": {"all": "x"}}, "group 'all' must be a list of names"),
        ({"groups": {}}, r"wanted one group of targets or more, by name, got \{\}"),
        ({"groups": {3: ["x"]}}, "wanted one group of targets or more, by name"),
        ({"method": ["spearman"]}, r"method must be the name of one, got \['spearman'\]"),
        ({"checks": pd.DataFrame({"x": [1]})}, "checks must be a dict by name"),
        ({"groups": ["x"]}, r"groups must be a dict by name, got \['x'\]"),
        ({"alpha": 5}, "alpha must be between 0 and 1, got 5"),
        ({"alpha": "x"}, "alpha must be between 0 and 1, got 'x'"),
        ({"checks": [3]}, r"checks must be a dict by name, got \[3\]"),
        ({"checks": {"then": rows(("other", "x", *UP))}}, r"checks\['then'\] has no row of 'bias' and x"),
    ],
)
def test_input_that_cannot_be_used(changes: dict[str, object], message: str) -> None:
    with pytest.raises(vb.DataError, match=message):
        verdict(**({"correlations": rows(("bias", "x", *UP))} | changes))  # type: ignore[arg-type]
