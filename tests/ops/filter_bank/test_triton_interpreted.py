# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The Triton kernels where there is no GPU: run by Triton's interpreter, and refused with a reason without it."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import visionbias as vb
from visionbias.ops.filter_bank import triton
from visionbias.ops.filter_bank.spec import Spec

REPOSITORY = Path(__file__).parents[3]
HAS_TRITON = pytest.mark.skipif(triton.find_spec("triton") is None, reason="Triton is not installed")
INTERPRETS = pytest.mark.skipif(
    triton.find_spec("triton") is not None
    and version("triton") < "3.8"
    and np.lib.NumpyVersion(np.__version__) >= "2.4.0",
    reason="before 3.8 Triton's interpreter counts no loops with NumPy 2.4 or later",
)
X = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
LOW = vb.lowpass(0.5)


@HAS_TRITON
@INTERPRETS
def test_the_kernels_compute_the_definition():
    # One thread: the interpreter's products are small.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = {**os.environ, **threads, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    file = str(Path(__file__).with_name("test_triton.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not gpu", file],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-5_000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@HAS_TRITON
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="under TRITON_INTERPRET=1 the CPU is served")
def test_tensors_on_the_cpu_are_refused():
    for backend in ("triton", "triton_fast"):
        with pytest.raises(vb.BackendError, match="x is on cpu, where Triton works under TRITON_INTERPRET=1 only"):
            vb.filter_bank(X, LOW, backend=backend)


@pytest.mark.parametrize(
    ("x", "options", "reason"),
    [
        (X, {"dtype": torch.float64}, "it does not write torch.float64"),
        (torch.zeros(1, 1, 513, 64), {}, "side 513 is longer than 512"),
    ],
)
def test_what_cannot_be_served_is_refused(x, options, reason):
    with pytest.raises(vb.BackendError, match=f"{reason}; try backend='auto'"):
        vb.filter_bank(x, LOW, backend="triton", **options)


def test_without_triton_auto_works_and_its_name_is_refused(monkeypatch):
    monkeypatch.setattr(triton, "find_spec", lambda name: None)
    with pytest.raises(vb.BackendError, match="Triton is not installed; run: pip install triton"):
        vb.filter_bank(X, vb.lowpass(0.25), backend="triton")
    assert vb.filter_bank(X, vb.lowpass(0.25)).shape == (1, *X.shape)


@HAS_TRITON
def test_tensors_on_a_gpu_are_refused_under_the_interpreter(monkeypatch):
    monkeypatch.setattr(triton, "interpreted", lambda: True)
    spec = Spec((LOW,), 64, 64, (0.0,) * 3, (1.0,) * 3, torch.uint8, torch.float32, torch.device("cuda", 0))
    assert "x is on cuda:0, and TRITON_INTERPRET=1 runs the kernels on the CPU" in triton.refuse(spec)


@HAS_TRITON
@pytest.mark.parametrize("raised", [RuntimeError("Failed to find C compiler"), OSError("no space left on device")])
def test_what_the_launcher_says_is_in_the_error(raised, monkeypatch):
    def failing(**arguments):
        raise raised

    monkeypatch.setattr(triton, "kernels", lambda: SimpleNamespace(analyze={(1,): failing}))
    with pytest.raises(vb.BackendError, match=f"Triton does not launch 'analyze': {raised}; try backend='torch'"):
        triton._launch("analyze", 1, {})
