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


def test_what_is_missing_or_left_out_shows() -> None:
    incomplete = {"model": "b", "status": "incomplete", "n": 1200, "bad": 3}
    table = summary_table(pd.DataFrame([COMPLETE | {"bad": 3}, incomplete]))
    assert table.splitlines()[0].split() == ["model", "n", "bad", "status", "top1"]
    assert table.splitlines()[2].split() == ["b", "1,200", "3", "incomplete", "-"]
