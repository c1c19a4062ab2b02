# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""In runs and plans a GPU would multiply float32 without rounding it; afterwards the settings are the caller's."""

import subprocess
import sys

import pytest
import torch

from visionbias.runtime.exact_float32 import exact_float32

# By torch's older names and by its newer ones, which do not mix: each in a process of its own.
SETTINGS = [
    "pass",
    "torch.backends.cudnn.allow_tf32 = False",
    "torch.set_float32_matmul_precision('medium')",
    "torch.backends.fp32_precision = 'tf32'",
    "torch.backends.cudnn.fp32_precision = 'tf32'",
    "torch.backends.cudnn.conv.fp32_precision = torch.backends.cuda.matmul.fp32_precision = 'tf32'",
]
SCRIPT = """
import torch
from visionbias.runtime.exact_float32 import exact_float32
{setting}

def rounding():
    settings = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    return [setting.fp32_precision == "tf32" for setting in settings]

before = rounding()
with exact_float32():
    assert rounding() == [False, False]
    with exact_float32():
        assert rounding() == [False, False]
    assert rounding() == [False, False]
assert rounding() == before, (rounding(), before)
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_only_inside(setting: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(setting=setting)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_also_after_a_failure() -> None:
    before = torch.backends.cudnn.allow_tf32
    with pytest.raises(ZeroDivisionError), exact_float32():
        raise ZeroDivisionError
    assert torch.backends.cudnn.allow_tf32 is before is True
