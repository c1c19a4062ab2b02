# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""In runs, plans and band noise float32 is multiplied without rounding it; afterwards the settings are the caller's."""

import subprocess
import sys
from contextlib import ExitStack

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
    "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "torch.backends.mkldnn.conv.fp32_precision = 'bf16'",
]
SCRIPT = """
import torch
from visionbias.runtime.exact_float32 import exact_float32
{setting}

def rounding():
    cudnn, cuda, mkldnn = torch.backends.cudnn, torch.backends.cuda, torch.backends.mkldnn
    settings = [kind.fp32_precision for kind in (cudnn.conv, cuda.matmul, mkldnn.conv, mkldnn.matmul)]
    return [setting if setting in ("tf32", "bf16") else None for setting in settings]

before = rounding()
with exact_float32():
    assert rounding() == [None] * 4
    with exact_float32():
        assert rounding() == [None] * 4
    assert rounding() == [None] * 4
assert rounding() == before, (rounding(), before)
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_only_inside(setting: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(setting=setting)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_last_of_several_threads_puts_the_caller_s_settings_back() -> None:
    before = torch.backends.cudnn.allow_tf32
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(exact_float32())
        second.enter_context(exact_float32())
        first.close()
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 is before is True


def test_also_after_a_failure() -> None:
    before = torch.backends.cudnn.allow_tf32
    with pytest.raises(ZeroDivisionError), exact_float32():
        raise ZeroDivisionError
    assert torch.backends.cudnn.allow_tf32 is before is True
