# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run as text: a table for the terminal, CSV and JSON."""

import json
from collections.abc import Collection
from math import isfinite
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import numpy as np

from visionbias.runtime.progress import percent

if TYPE_CHECKING:
    import pandas as pd


def summary_table(
    summary: "pd.DataFrame",  # columns of Run.summary
    width: int | None = None,
    numbers: Collection[str] = (),
) -> str:
    """One line a model: each number that has an interval, with it, and those that are named; curves are left out.

    Columns that do not fit `width` characters, by default the terminal's, go to another table below, with the models
    again.
    """
    import pandas as pd

    lead = pd.DataFrame({"model": summary["model"], "n": summary["n"].map("{:,}".format)})
    if (summary["bad"] > 0).any():
        lead["bad"] = summary["bad"]
    if (summary["status"] != "complete").any():
        lead["status"] = summary["status"]
    if "precision" in summary and summary["precision"].nunique() > 1:
        lead["precision"] = summary["precision"]
    room = width or get_terminal_size((120, 24)).columns
    blocks = [lead]
    for name in map(str, summary.columns):
        if f"{name}_low" in summary and f"{name}_high" in summary:
            rows = zip(summary[name], summary[f"{name}_low"], summary[f"{name}_high"], strict=True)
            cells = [_with_interval(*row) for row in rows]
        elif name in numbers:
            cells = ["-" if value != value else f"{value:.3f}" for value in summary[name]]
        else:
            continue
        wider = blocks[-1].assign(**{name: cells})
        if blocks[-1] is not lead and _width(wider) > room:
            blocks.append(lead.assign(**{name: cells}))
        else:
            blocks[-1] = wider
    return "\n\n".join(block.to_string(index=False) for block in blocks)


def summary_csv(summary: "pd.DataFrame") -> str:
    """All columns; a number that is not known is empty. Read again, the numbers are the same to the bit."""
    return summary.to_csv(index=False).rstrip("\n")


def summary_json(summary: "pd.DataFrame") -> str:
    """A list with an object a model; a number that is not known is null. Read again, the numbers are the same."""
    return json.dumps(plain(summary.to_dict("records")), indent=1, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """As JSON has it: what is no number is null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def unfinished(done: int, total: int) -> str:  # forward passes
    """What must be said of the numbers of a run that is not finished."""
    return (
        f"unfinished: {done:,} of {total:,} forward passes are done ({percent(done, total)}); "
        "numbers of incomplete models are of the n images that each has seen under every condition, "
        "which follow each other in order of id and need not be like the others"
    )


def _width(table: "pd.DataFrame") -> int:
    return len(table.to_string(index=False).partition("\n")[0])


def _with_interval(value: float, low: float, high: float) -> str:
    return "-" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]"
