# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""In runs, plans and band noise float32 is multiplied without rounding it; afterwards the settings are the caller's."""

import subprocess
import sys

import pytest

# By torch's older names and by its newer ones, which do not mix: each in a process of its own.
SETTINGS = [
    "pass",
    "backends.cudnn.allow_tf32 = False",
    "backends.cuda.matmul.allow_tf32 = True",
    "torch.set_float32_matmul_precision('high')",
    "torch.set_float32_matmul_precision('medium')",
    "backends.fp32_precision = 'tf32'",
    "backends.cudnn.fp32_precision = 'tf32'",
    "backends.cudnn.conv.fp32_precision = backends.cuda.matmul.fp32_precision = 'tf32'",
    "backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "backends.mkldnn.conv.fp32_precision = backends.mkldnn.rnn.fp32_precision = 'bf16'",
]
START = """
import torch
from contextlib import ExitStack
from threading import Event, Thread
from visionbias.runtime.exact_float32 import exact_float32

backends = torch.backends
cpu, cudnn, cuda = backends.mkldnn, backends.cudnn, backends.cuda
kinds = [cpu.conv, cpu.rnn, cpu.matmul, cuda.matmul, cudnn.conv, cudnn.rnn]
working = kinds if torch.cuda.is_available() else kinds[:3]

def precisions():
    return [kind.fp32_precision for kind in kinds]

def exact():
    return not any(kind.fp32_precision in ("tf32", "bf16") for kind in working)

def older():
    found = []
    for get in (torch.get_float32_matmul_precision, lambda: cuda.matmul.allow_tf32, lambda: cudnn.allow_tf32):
        try:
            found.append(get())
        except RuntimeError:
            found.append("mixed")
    return found
"""
INSIDE = """
before = precisions(), older()
with exact_float32():
    assert exact()
    with exact_float32():
        assert exact()
    assert exact()
    assert all(known == "mixed" or name != "mixed" for name, known in zip(older(), before[1]))
assert (precisions(), older()) == before, (precisions(), older(), before)
"""
LATER = """
if {enter}:
    with exact_float32():
        pass
backends.fp32_precision = "ieee"
print([kind.fp32_precision for kind in kinds[:4]])
"""
THREADS = """
cpu.matmul.fp32_precision = "bf16"
entered, leave = Event(), Event()

def work():
    with exact_float32():
        entered.set()
        leave.wait()

thread = Thread(target=work)
with exact_float32():
    thread.start()
    entered.wait()
assert exact()
leave.set()
thread.join()
assert not exact()
try:
    with exact_float32():
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert not exact()
"""


def printed(*lines: str) -> str:
    done = subprocess.run([sys.executable, "-c", "\n".join((START, *lines))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("setting", SETTINGS)
def test_only_inside(setting: str) -> None:
    printed(setting, INSIDE)


@pytest.mark.parametrize("setting", [SETTINGS[2], SETTINGS[4], SETTINGS[5]])
def test_what_is_set_for_all_afterwards_reaches_the_same_layers_as_ever(setting: str) -> None:
    entered, never = (printed(setting, LATER.format(enter=enter)) for enter in (True, False))
    assert entered == never


def test_the_last_of_several_threads_puts_the_caller_s_settings_back_also_after_a_failure() -> None:
    printed(THREADS)
