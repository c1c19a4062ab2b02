# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's code under ASan and UBSan, and its threads under TSan.

The ops' own tests run again, in a process whose engine was built with the sanitizers and whose scratch memory has no
room to spare: all that have "native" in their name, as a backend or as a file, and no large image.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
THREADS = TESTS.parent / "csrc" / "cpu" / "threads" / "threads.cpp"


def python(environment, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=500
    )


def test_no_op_steps_out_of_its_memory_or_does_what_is_undefined(sanitized_engine):
    plugins = ("-p", "sanitized_engine", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=sys")
    chosen = (str(TESTS / "ops"), "-k", "native and not golden")
    done = python(sanitized_engine, "-m", "pytest", "-q", "-x", *plugins, *chosen)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]


def test_a_step_out_of_memory_is_seen(sanitized_engine):
    code = """
import torch
from sanitized_engine import engine
def normals(room):
    out = torch.empty(room)
    engine.normals(seed=1, stream=2, key0=3, key1=4, counters=5, out=(out.data_ptr(), out))
normals(20)
print("enough", flush=True)
normals(19)
"""
    done = python(sanitized_engine, "-c", code)
    assert done.returncode != 0
    assert done.stdout.strip() == "enough"
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr


def test_threads_do_not_race(build, library):
    library("libtsan.so")
    stress = build("threads_stress", [THREADS, Path(__file__).with_name("threads_stress.cpp")], "-fsanitize=thread")
    done = subprocess.run([stress], capture_output=True, text=True, timeout=120)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("TSan does not run under this kernel's address layout")
    assert done.returncode == 0, done.stderr
