# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the linker may take from a target's object for all of them: nothing."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"


def test_a_target_shares_no_function(gcc, tmp_path):
    """A weak function of a shared header would carry this target's instructions into code that every processor runs."""
    if shutil.which("nm") is None:
        pytest.skip("there is no nm")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this processor has no AVX2")
    compiled = tmp_path / "avx2.o"
    flags = ("-std=c++17", "-O1", "-fPIC", "-ffp-contract=off", f"-I{CSRC}", f"-I{CSRC / 'cpu'}")
    source = CSRC / "cpu" / "targets" / "avx2.cpp"
    subprocess.run([gcc, *flags, "-c", source, "-o", compiled], check=True, timeout=500)
    listed = subprocess.run(["nm", "--defined-only", compiled], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[1:] for line in listed.splitlines()]
    own = "10visionbias4avx2"  # the namespace as compilers write it
    assert any(own in name for _, name in symbols)
    assert [name for kind, name in symbols if kind in "WuT" and own not in name] == []
