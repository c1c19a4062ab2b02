# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What correlations amount to, in words."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from visionbias.analysis.correlation import FEWEST_MODELS, require_correlations
from visionbias.analysis.tables import lower_is_better, require_fraction, require_mapping, require_names
from visionbias.errors import DataError

RISES, FALLS, DIVIDED, UNSURE, UNDETERMINED = "rises", "falls", "divided", "unsure", "undetermined"
_COLUMNS = (
    "feature",
    "group",
    "relation",
    "rho_low",
    "rho_high",
    "low",
    "high",
    "p_adjusted",
    "n",
    "reversed_by",
    "errors",
)
_EXTREMES = (("rho", "min"), ("rho", "max"), ("low", "min"), ("high", "max"), ("p_adjusted", "max"))
_SMALLEST_P = 1e-6  # that is told
_FEW_MODELS = 10  # below which p-values of strong correlations are too small


@dataclass(frozen=True)
class Verdict:
    """Which groups of benchmarks each feature predicts; `str` gives it in sentences.

    `table` has a row a feature and group: `feature, group, relation, rho_low, rho_high, low, high, p_adjusted, n,
    reversed_by, errors`.
        relation: generalization "rises" or "falls" with the feature, surely and in every benchmark of the group;
            "divided", surely but not all in one direction; "unsure"; "undetermined" where a p-value or an interval is
            missing. Where lower is better, as of mCE, a positive coefficient is a fall.
        rho_low, rho_high: smallest and largest coefficient among the benchmarks of the group.
        low, high: ends of the intervals, the outermost among them.
        p_adjusted: the largest among them.
        n: the smallest number of models among them.
        reversed_by: of the `checks`, those in which some coefficient of the group has another sign, as a tuple.
        errors: of the benchmarks, those of which lower is better, as a tuple.

    `sentences` has one a feature; the last says whether a feature predicts all groups.
    """

    table: pd.DataFrame
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def verdict(
    correlations: pd.DataFrame,  # rows of `correlate`
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    method: str = "spearman",
    alpha: float = 0.05,
    checks: Mapping[str, pd.DataFrame] | None = None,
) -> Verdict:
    """Say which groups of benchmarks each feature predicts, in which direction and how surely.

    The rule: a feature predicts a group if, for every benchmark of the group, p_adjusted < alpha and the interval
    excludes 0, and all coefficients have one sign, that of benchmarks of which lower is better turned. It predicts
    generalization as a whole if it predicts every group in one direction.

    Args:
        correlations: from `correlate`.
        groups: name -> targets of `correlations`; default each target a group of its own. A feature is not judged by
            itself.
        method: whose rows are judged.
        alpha: the rate of false discoveries that is accepted.
        checks: what was changed -> the correlations then, such as "without adversarial training" and those from
            `correlate(..., without=["adversarial_training"])`. A sign that changes there is told.

    Raises:
        DataError: a frame is none of `correlate`, or lacks the method, or a feature or target of the groups.
    """
    require_fraction("verdict", "alpha", alpha)
    if not isinstance(method, str):
        raise DataError(f"verdict: method must be the name of one, got {method!r:.80}")
    rows = _rows("correlations", correlations, method)
    if groups is None:
        groups = {target: [target] for target in dict.fromkeys(rows["target"])}
    require_mapping("verdict", "groups", groups)
    checks = {} if checks is None else checks
    require_mapping("verdict", "checks", checks)
    members = {group: require_names("verdict", f"group {group!r}", targets) for group, targets in groups.items()}
    if not members or not all(isinstance(group, str) for group in members):
        raise DataError(f"verdict: wanted one group of targets or more, by name, got {groups!r:.80}")
    others = {name: _rows(f"checks[{name!r}]", frame, method) for name, frame in checks.items()}
    judged = [
        (feature, group, *_judge(feature, paired, rows, others, alpha))
        for feature in dict.fromkeys(rows["feature"])
        for group, targets in members.items()
        if (paired := [target for target in targets if target != feature])
    ]
    table = pd.DataFrame(judged, columns=_COLUMNS)
    sentences = [_sentence(str(feature), own) for feature, own in table.groupby("feature", sort=False)]
    return Verdict(table, (*sentences, _conclusion(table, list(members))))


def _rows(name: str, frame: pd.DataFrame, method: str) -> pd.DataFrame:
    frame = require_correlations("verdict", name, frame)
    rows = frame[frame["method"] == method]
    if rows.empty:
        known = ", ".join(map(str, dict.fromkeys(frame["method"])))
        raise DataError(f"verdict: {name} has no rows of the method {method!r}; it has {known or 'none'}")
    if (twice := rows[rows.duplicated(["feature", "target"])]).size:
        raise DataError(f"verdict: {name} has two rows of {twice['feature'].iloc[0]} and {twice['target'].iloc[0]}")
    return rows


def _judge(
    feature: str, targets: Sequence[str], rows: pd.DataFrame, checks: Mapping[str, pd.DataFrame], alpha: float
) -> tuple[Any, ...]:
    """The columns from `relation` on."""
    own = _of(feature, targets, rows, "correlations")
    errors = tuple(filter(lower_is_better, targets))
    signs = (own["rho"] > 0) != own.index.isin(errors)
    sure = (own["p_adjusted"] < alpha) & ((own["low"] > 0) | (own["high"] < 0))
    if own[["rho", "p_adjusted", "low", "high"]].isna().any(axis=None):
        relation = UNDETERMINED
    elif not sure.all():
        relation = UNSURE
    else:
        relation = DIVIDED if signs.nunique() > 1 else RISES if signs.all() else FALLS
    reversing = []
    for name, frame in checks.items():
        other = _of(feature, targets, frame, f"checks[{name!r}]")
        if (own["rho"] * other["rho"] < 0).any():
            reversing.append(name)
    ends = (own[end].agg(extreme, skipna=False) for end, extreme in _EXTREMES)
    return relation, *ends, int(own["n"].min()), tuple(reversing), errors


def _of(feature: str, targets: Sequence[str], rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row a target, in the order of the targets."""
    own = rows[rows["feature"] == feature].set_index("target")
    if absent := [target for target in targets if target not in own.index]:
        raise DataError(f"verdict: {name} has no row of {feature!r} and {', '.join(absent)}; correlate them too")
    return own.loc[list(targets)]


def _sentence(feature: str, groups: pd.DataFrame) -> str:
    """Such as "shape_bias: models with more of it score lower on ID (...), robustness (...); ... 48 models."."""
    by_relation = {relation: own.to_dict("records") for relation, own in groups.groupby("relation")}
    they = [
        f"{word} on {', '.join(map(_evidence, rows))}"
        for relation, words in ((RISES, ("score higher", "do better")), (FALLS, ("score lower", "do worse")))
        for word, is_error in zip(words, (False, True), strict=True)
        if (rows := [row for row in by_relation.get(relation, []) if bool(row["errors"]) == is_error])
    ]
    parts = [f"models with more of it {', and '.join(they)}"] if they else []
    open_ones = by_relation.get(UNDETERMINED, [])
    parts += [
        f"{words} {', '.join(row['group'] for row in rows)}"
        for words, rows in (
            ("sure but opposite relations within", by_relation.get(DIVIDED)),
            ("no sure relation with", by_relation.get(UNSURE)),
            (f"at least {FEWEST_MODELS} models wanted for", [row for row in open_ones if row["n"] < FEWEST_MODELS]),
            ("too little differs between models for", [row for row in open_ones if row["n"] >= FEWEST_MODELS]),
        )
        if rows
    ]
    n = int(groups["n"].min())
    few = ", so few that p is too small" if n < _FEW_MODELS and they else ""
    return f"{feature}: {'; '.join(parts)}. {n} models{few}."


def _evidence(row: Mapping[Hashable, Any]) -> str:
    rho = f"{row['rho_low']:.2f}" + (f" to {row['rho_high']:.2f}" if row["rho_low"] != row["rho_high"] else "")
    doubt = "".join(f", but the other way {name}" for name in row["reversed_by"])
    p = f"{row['p_adjusted']:.1g}" if row["p_adjusted"] >= _SMALLEST_P else f"below {_SMALLEST_P:g}"
    better = f"; of {', '.join(row['errors'])} lower is better" if row["errors"] else ""
    return f"{row['group']} ({rho} [{row['low']:.2f}, {row['high']:.2f}], adjusted p {p}{doubt}{better})"


def _conclusion(table: pd.DataFrame, groups: Sequence[str]) -> str:
    listed = ", ".join(groups)
    relations = {str(feature): set(own["relation"]) for feature, own in table.groupby("feature", sort=False)}
    # What is known of them leaves it open.
    untold = [
        feature
        for feature, found in relations.items()
        if UNDETERMINED in found and found - {UNDETERMINED} in (set(), {RISES}, {FALLS})
    ]
    if untold and untold == list(relations):
        n = int(table["n"].max())
        why = f"too few models, {n} of at least {FEWEST_MODELS}" if n < FEWEST_MODELS else "see above"
        return f"Whether a bias predicts all of {listed} cannot be said: {why}."
    unknown = f"; of {', '.join(untold)} it cannot be said" if untold else ""
    if one_way := [feature for feature, found in relations.items() if found in ({RISES}, {FALLS})]:
        return f"{', '.join(one_way)}: related to all of {listed}, in one direction{unknown}."
    both_ways = [feature for feature, found in relations.items() if found == {RISES, FALLS}]
    but = f"; {', '.join(both_ways)}: related to each, but not in one direction" if both_ways else ""
    if untold:
        return f"Of {', '.join(untold)} it cannot be said; no other bias predicts all of {listed}{but}."
    return f"No bias predicts all of {listed}{but}."
