# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The kernels on a GPU under compute-sanitizer, which comes with the CUDA toolkit: memory, and races."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
SANITIZER = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
    pytest.mark.skipif(SANITIZER is None, reason="compute-sanitizer is neither on PATH nor in /usr/local/cuda/bin"),
]

# Even and odd numbers of whole lines, more images than blocks have, one panel and several.
CALLS = """
import torch
import visionbias as vb
from visionbias.ops import cuda
from visionbias.ops.philox import sample_keys, unit_normals
from visionbias.ops.spectrum_mix import cuda as spectrum_mix, phase_swap_both

torch.manual_seed(0)
for h, w in ((32, 32), (48, 80)):
    x, other = (torch.randint(0, 256, (3, 3, h, w), dtype=torch.uint8, device="cuda") for _ in range(2))
    ids = ["a", "b", "c"]
    {calls}
torch.cuda.synchronize()
"""
CUDA = """
    for dtype, memory_format in ((torch.float32, torch.contiguous_format), (torch.bfloat16, torch.channels_last)):
        kind = dict(dtype=dtype, memory_format=memory_format, backend="cuda")
        vb.critical_band(x, bands=(4, 6), noise_sds=(0.05, 0.6), sample_ids=ids, **kind)
        vb.cue_conflict(x, other, **kind)
        vb.random_phase(x, sample_ids=ids, **kind)
    phase_swap_both(x, other, backend="cuda")
    vb.band_noise(torch.randn(3, h, w, device="cuda"), bands=(4, 6), backend="cuda")
    unit_normals(0, 1, sample_keys("test", ids, 3), 1001, x.device, "cuda")
    panels, spectrum_mix.fewest_panels = spectrum_mix.fewest_panels, lambda height, width, room: 3
    vb.random_phase(x.float() / 255, sample_ids=ids, backend="cuda")
    spectrum_mix.fewest_panels = panels
"""
TRITON = """
    bands = (vb.lowpass(0.3), vb.highpass(0.7), vb.octave(2))
    for dtype, memory_format in ((torch.float32, torch.contiguous_format), (torch.bfloat16, torch.channels_last)):
        vb.filter_bank(x, bands, dtype=dtype, memory_format=memory_format, backend="triton")
"""


@pytest.mark.parametrize("tool", ["memcheck", "racecheck"])
@pytest.mark.parametrize(
    ("package", "calls"),
    [("cupy", CUDA), ("triton", TRITON)],
)
def test_no_error(tool, package, calls):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTORCH_NO_CUDA_MEMORY_CACHING": "1",
    }  # a tensor's own memory
    command = [SANITIZER, "--tool", tool, "--error-exitcode", "99", "--report-api-errors", "no"]
    done = subprocess.run(
        [*command, sys.executable, "-c", CALLS.replace("{calls}", calls.strip())],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
