# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a device is called."""

import platform
import re
from pathlib import Path

import torch


def device_name(device: torch.device) -> str:
    """The model name of a GPU or CPU; of an x86 CPU with family and model, since some names tell no generation."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        known = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M))
    except OSError:
        known = {}
    name = known.get("model name") or platform.processor() or platform.machine()
    return f"{name} (family {known['cpu family']}, model {known['model']})" if "cpu family" in known else name
