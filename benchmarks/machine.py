# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a number was measured."""

import platform
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy
import torch

import visionbias
from visionbias.runtime import devices

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def device_name(device: str) -> str:
    """The GPU, or the CPU with its number of threads and widest instruction set."""
    name = devices.device_name(torch.device(device))
    if device.startswith("cuda"):
        return name
    return f"{name}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def generation(device: str) -> int | None:
    """The major compute capability of a GPU."""
    return torch.cuda.get_device_capability(device)[0] if device.startswith("cuda") else None


def versions(device: str) -> dict[str, str]:
    """Of everything that bears on speed."""
    on_gpu = [name for name in ("triton", "cupy") if device.startswith("cuda") and find_spec(name)]
    return {
        "visionbias": visionbias.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        **{name: import_module(name).__version__ for name in on_gpu},
    }


def commit() -> str:
    """Short hash of the commit, with "+" if package or benchmarks differ from it; "unknown" outside a checkout."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "visionbias", "csrc", "benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
