# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments: the same run, started again, ends with the same tables to the byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fifty_kills_change_no_byte(image_folder: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_nursery.py")
    answer = subprocess.run(
        [sys.executable, str(script), str(image_folder), str(tmp_path), str(KILLS), "11"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    story = json.loads(answer.stdout)
    assert story["kills"] >= KILLS
    # The kills must have hit runs in the middle of their work, or they prove nothing.
    assert len({count for count in story["files_after_kill"] if count}) > KILLS // 5
    for name in story["folders"]:
        for table in ("summary.csv", "records.csv"):
            assert (tmp_path / name / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()
        assert not list((tmp_path / name).rglob("*.tmp")), "temporary files of killed lives must be gone in the end"
