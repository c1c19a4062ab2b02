# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where and with what a run was made."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import visionbias
from visionbias.decode.dali import DISTRIBUTIONS
from visionbias.runtime.devices import device_name

_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "pyarrow", "pandas", "scipy", "safetensors")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, device and git revision, as plain values for the manifest."""
    versions = {"visionbias": visionbias.__version__, "python": platform.python_version()}
    for package in (*_PACKAGES, *DISTRIBUTIONS):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "versions": versions,
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """Revision of the checkout that visionbias is imported from; `None` for an installed package."""
    root = Path(visionbias.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
