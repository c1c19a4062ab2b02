# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests read and change in run folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import visionbias as vb


def records_of(run: vb.Run) -> pd.DataFrame:
    """All records in one order."""
    frame = run.records().to_table().to_pandas()
    return frame.sort_values(["model", "condition", "sample_id"], ignore_index=True)


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write the manifest of a run anew, as it is after a change."""
    manifest = json.loads((folder / "run.json").read_text())
    change(manifest)
    (folder / "run.json").write_text(json.dumps(manifest))
