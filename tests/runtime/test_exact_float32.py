# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""In runs, plans and band noise float32 is multiplied without rounding it; afterwards the settings are the caller's."""

import json
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
EACH = """
import json, os, sys, traceback
from threading import Event, Thread

import torch
from visionbias.runtime.exact_float32 import exact_float32

backends = torch.backends
cpu, cudnn, cuda = backends.mkldnn, backends.cudnn, backends.cuda
kinds = [cpu.conv, cpu.rnn, cpu.matmul, cuda.matmul, cudnn.conv, cudnn.rnn]

def precisions():
    return [kind.fp32_precision for kind in kinds]

def exact():
    working = kinds if torch.cuda.is_available() else kinds[:3]
    return not any(kind.fp32_precision in ("tf32", "bf16") for kind in working)

def older():
    found = []
    for get in (torch.get_float32_matmul_precision, lambda: cuda.matmul.allow_tf32, lambda: cudnn.allow_tf32):
        try:
            found.append(get())
        except RuntimeError:
            found.append("mixed")
    return found

for code in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        try:
            exec(code)
        except BaseException:
            traceback.print_exc()
            print(code, file=sys.stderr)
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
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
        leave.wait(10)

thread = Thread(target=work)
with exact_float32():
    thread.start()
    assert entered.wait(10)
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
GPU = "torch.cuda.is_available = lambda: True\n"  # the settings are there without one

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="each setting is tried in a fork of one process")


def printed(*codes: str) -> list[str]:
    """What some codes print, each run by a process that has imported torch and nothing set."""
    done = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps(codes)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("gpu", ["", GPU])
def test_only_inside(gpu: str) -> None:
    printed(*(f"{gpu}{setting}{INSIDE}" for setting in SETTINGS))


@pytest.mark.parametrize("gpu", ["", GPU])
def test_what_is_set_for_all_afterwards_reaches_the_same_layers_as_ever(gpu: str) -> None:
    """But for cuDNN's, see there."""
    entered, never = (
        printed(*(f"{gpu}{setting}{LATER.format(enter=enter)}" for setting in SETTINGS)) for enter in (True, False)
    )
    assert entered == never
    assert len(never) == len(SETTINGS)


def test_the_last_of_several_threads_puts_the_caller_s_settings_back_also_after_a_failure() -> None:
    printed(THREADS)
