# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The self-test: what it says of a backend that is not here, and that it measures anew."""

from pathlib import Path

import pytest
import torch

import visionbias.selftest
from visionbias.cli import _show
from visionbias.demo.calibration import Check
from visionbias.selftest import run_selftest


def test_what_cannot_be_tested_is_neither_well_nor_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [Check("here", True, "error 0"), Check("gone", None, "not here: no GPU")]
    assert _show(checks)
    assert capsys.readouterr().out.splitlines() == ["ok   here: error 0", "--   gone: not here: no GPU"]
    assert not _show([*checks, Check("wrong", False, "error 1")])


def test_backends_that_are_not_here_are_told_and_the_demo_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo is not run: only where its records would go is looked at."""
    places = []

    class Measured:
        def summary(self) -> None:
            return None

    def run_demo(out: Path) -> Measured:
        places.append(out)
        return Measured()

    monkeypatch.setattr(visionbias.selftest, "run_demo", run_demo)
    monkeypatch.setattr(visionbias.selftest, "check_calibration", lambda summary: [])
    checks = list(run_selftest())
    assert {check.passed for check in checks if "cpu" in check.name} <= {True, None}
    gone = [check for check in checks if check.detail.startswith("not here")]
    assert bool(gone) or torch.cuda.is_available()
    assert all(check.passed is None for check in gone)
    assert len(places) == 1
    assert not places[0].exists()
