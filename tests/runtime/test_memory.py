# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left of memory, here and under the limits of control groups."""

from pathlib import Path

import pytest
import torch

from visionbias.runtime import memory

CPU = torch.device("cpu")
V1, V2 = "/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/user/job"


def test_here_is_something_left() -> None:
    assert 2**20 < memory.free_memory(CPU) < 2**50


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"/proc/meminfo": "MemTotal: 90 kB\nMemAvailable: 50 kB"}, 50 * 1024),
        ({"/proc/self/cgroup": "0::/user/job", f"{V2}/memory.max": "900", f"{V2}/memory.current": "200"}, 700),
        (
            {
                "/proc/self/cgroup": "0::/user/job",
                f"{V2}/memory.max": "max",
                f"{V2}/memory.current": "200",
                "/sys/fs/cgroup/user/memory.max": "500",
                "/sys/fs/cgroup/user/memory.current": "400",
                "/sys/fs/cgroup/user/memory.stat": "anon 310\ninactive_file 90",
            },
            190,
        ),
        (
            {
                "/proc/self/cgroup": "5:cpu,cpuacct:/other\n4:memory:/job\n0::/",
                f"{V1}/memory.limit_in_bytes": "800",
                f"{V1}/memory.usage_in_bytes": "1000",
                f"{V1}/memory.stat": "inactive_file 7\ntotal_inactive_file 300",
            },
            100,
        ),
    ],
)
def test_the_tightest_limit_counts(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], left: int) -> None:
    monkeypatch.setattr(memory, "_lines", lambda path: files.get(str(Path(path)), "").splitlines())
    assert memory.free_memory(CPU) == left


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_what_torch_holds_unused_on_a_gpu_is_free() -> None:
    device = torch.device("cuda")
    before = memory.free_memory(device)
    block = torch.empty(2**28, dtype=torch.uint8, device=device)
    assert memory.free_memory(device) <= before - 2**27
    del block
    assert memory.free_memory(device) >= before - 2**26
