# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Bars are drawn as work is done, and leave nothing behind."""

import subprocess
import sys

import pytest

from visionbias.runtime.progress import progress_bar


def test_no_thread_is_left_behind() -> None:
    script = """
import threading
from visionbias.runtime.progress import progress_bar
for progress in (True, False):
    with progress_bar(3, progress, "work") as bar:
        bar.update(3)
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3/3" in done.stderr


def test_a_small_step_behind_large_ones_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(1001, True, "work") as bar:
        bar.mininterval = 0.0
        bar.update(1000)
        bar.update(1)
        assert "1001/1001" in capsys.readouterr().err
