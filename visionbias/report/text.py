# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run as a table for the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def summary_table(summary: "pd.DataFrame") -> str:  # columns of Run.summary
    """One line a model: each number with its interval where it has one; curves are left out."""
    import pandas as pd

    table = pd.DataFrame({"model": summary["model"], "n": summary["n"].map("{:,}".format)})
    if (summary["bad"] > 0).any():
        table["bad"] = summary["bad"]
    if (summary["status"] != "complete").any():
        table["status"] = summary["status"]
    for name in summary.columns:
        if f"{name}_low" in summary and f"{name}_high" in summary:
            rows = zip(summary[name], summary[f"{name}_low"], summary[f"{name}_high"], strict=True)
            table[name] = [_with_interval(*row) for row in rows]
    return table.to_string(index=False)


def _with_interval(value: float, low: float, high: float) -> str:
    return "-" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]"
