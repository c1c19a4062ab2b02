# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""An installed package carries the kernels' text, and the table of what was measured."""

import subprocess
import sys
from pathlib import Path

import pytest

from visionbias.runtime.nvrtc import sources

ROOT = Path(__file__).parents[3]


def listed(folder):
    return {str(path.relative_to(folder)) for room in ("common", "cuda") for path in (folder / room).rglob("*.*")}


def test_a_build_holds_every_file_that_the_kernels_include(tmp_path):
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    pytest.importorskip("pybind11", reason="pybind11 is not installed")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    assert listed(tmp_path / "visionbias" / "_cuda_src") == listed(ROOT / "csrc")
    assert (tmp_path / "visionbias" / "ops" / "fastest.json").is_file()


def test_the_repository_reads_its_own():
    assert sources() == ROOT / "csrc"
