# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a device has left."""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

# Version 1 and 2 of control groups: limit, use, and of the use what the system gives back when it is needed.
_LIMITS = {
    "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "": ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
}


def free_memory(device: torch.device) -> int:
    """Bytes that a process may still take: on a GPU, or for other devices of the host, within the limits of its control
    groups. Without end where the system does not tell.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return max(min([sys.maxsize, *_host(), *_control_groups()]), 0)


def _host() -> Iterator[int]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _control_groups() -> Iterator[int]:
    """What the group of this process, and each above it, has left."""
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        for controller in set(controllers.split(",")) & set(_LIMITS):
            root, limit, usage, inactive = _LIMITS[controller]
            below = Path(root, path.lstrip("/"))
            for group in (below, *below.parents):
                numbers = [*_numbers(group / limit), *_numbers(group / usage)]
                if group.is_relative_to(root) and len(numbers) == 2:  # the limit may be "max"
                    yield numbers[0] - numbers[1] + sum(_numbers(group / "memory.stat", inactive))


def _numbers(path: Path, key: str | None = None) -> list[int]:
    """The one in a file, or in its line of a key."""
    words = [line.split() for line in _lines(path)]
    return [int(w[-1]) for w in words if w and w[-1].isdigit() and (key is None or w[0] == key)]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
