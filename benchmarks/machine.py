# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a number was measured."""

import platform
import subprocess
from pathlib import Path

import numpy
import torch

import visionbias
from visionbias.engine import environment

ROOT = Path(__file__).parents[1]


def device_name(device: str) -> str:
    """The GPU, or the CPU with its number of threads and widest instruction set."""
    name = environment.device_name(torch.device(device))
    if device.startswith("cuda"):
        return name
    return f"{name}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def versions() -> dict[str, str]:
    """Of everything that bears on speed."""
    return {
        "visionbias": visionbias.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
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
