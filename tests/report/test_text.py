# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The terminal table."""

import pandas as pd

from visionbias.report.text import summary_table

COMPLETE = {
    "model": "a",
    "status": "complete",
    "n": 1200,
    "bad": 0,
    "top1": 0.5,
    "top1_low": 0.4,
    "top1_high": 0.6,
    "lfc_0.1": 0.3,
}


def test_numbers_come_with_their_intervals() -> None:
    lines = summary_table(pd.DataFrame([COMPLETE])).splitlines()
    assert lines[0].split() == ["model", "n", "top1"]
    assert lines[1].split(maxsplit=2) == ["a", "1,200", "0.500 [0.400, 0.600]"]


def test_columns_that_do_not_fit_go_below_with_the_models_again() -> None:
    numbers = {f"{name}{end}": 0.5 for name in "abcde" for end in ("", "_low", "_high")}
    summary = pd.DataFrame([COMPLETE | numbers, COMPLETE | numbers | {"model": "other"}])
    tables = summary_table(summary, width=80).split("\n\n")
    assert len(tables) == 2
    assert all(len(line) <= 80 for table in tables for line in table.splitlines())
    assert all("other" in table.splitlines()[2] for table in tables)
    assert [name for table in tables for name in table.splitlines()[0].split()[2:]] == ["top1", *"abcde"]
    assert len(summary_table(summary, width=500).splitlines()) == 3


def test_what_is_missing_or_left_out_shows() -> None:
    incomplete = {"model": "b", "status": "incomplete", "n": 1200, "bad": 3}
    table = summary_table(pd.DataFrame([COMPLETE | {"bad": 3}, incomplete]))
    assert table.splitlines()[0].split() == ["model", "n", "bad", "status", "top1"]
    assert table.splitlines()[2].split() == ["b", "1,200", "3", "incomplete", "-"]


def test_precisions_show_where_they_differ() -> None:
    rows = [COMPLETE | {"precision": "float32"}, COMPLETE | {"model": "b", "precision": "bfloat16"}]
    assert summary_table(pd.DataFrame(rows)).splitlines()[0].split() == ["model", "n", "precision", "top1"]
    assert "precision" not in summary_table(pd.DataFrame(rows[:1]))
