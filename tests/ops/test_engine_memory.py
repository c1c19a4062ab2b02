# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the CPU engine keeps between calls."""

import os
from pathlib import Path

import pytest
import torch
from instruction_sets import ENGINE

import visionbias as vb

STATM = Path("/proc/self/statm")
MOST_KEPT = 64 << 20  # bytes: what the engine may keep for this thread, and as much for allocators


def resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(ENGINE is None, reason="visionbias._C is not built")
@pytest.mark.skipif(not STATM.exists(), reason="the system does not tell the size of a process")
def test_a_large_image_leaves_no_memory_behind():
    def run(side):
        x = torch.rand(1, 3, side, side)
        vb.cue_conflict(x, x, mean=(0.0,) * 3, std=(1.0,) * 3, backend="native")

    run(8)
    before = resident()
    run(2048)  # works in 0.2 GB
    assert resident() - before < MOST_KEPT
