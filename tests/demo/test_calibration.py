# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The calibration: it passes where intervals are apart on the right side, and only there."""

import pandas as pd

from visionbias.demo.calibration import CLAIMS, check_calibration
from visionbias.demo.recipes import RECIPES


def summary(gap: float) -> pd.DataFrame:
    """Every network `gap` away from the baseline on the claimed side, each number with an interval of +-0.05."""
    rows = []
    for network in RECIPES:
        row: dict[str, object] = {"model": network}
        for claim in CLAIMS:
            side = 0.0 if claim.network != network else gap if claim.side == "above" else -gap
            if f"{claim.column}" not in row or side:
                row |= {claim.column: 0.5 + side}
                row |= {f"{claim.column}_low": 0.45 + side, f"{claim.column}_high": 0.55 + side}
        rows.append(row)
    return pd.DataFrame(rows)


def test_gaps_wider_than_both_intervals_pass() -> None:
    checks = check_calibration(summary(0.11))
    assert len(checks) == len(CLAIMS)
    assert all(check.passed for check in checks)
    assert "0.500 [0.450, 0.550]" in checks[0].detail


def test_overlapping_intervals_and_wrong_sides_fail() -> None:
    assert not any(check.passed for check in check_calibration(summary(0.09)))
    assert not any(check.passed for check in check_calibration(summary(-0.2)))


def test_numbers_that_are_missing_fail() -> None:
    assert not any(check.passed for check in check_calibration(summary(float("nan"))))


def test_claims_are_about_networks_that_are_trained() -> None:
    assert {claim.network for claim in CLAIMS} <= set(RECIPES)
    assert len(RECIPES) >= 8
