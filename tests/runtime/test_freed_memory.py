# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Memory that is let go is taken again without the system, inside, and given back at the end."""

import ctypes
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from visionbias.runtime.freed_memory import _tunable, freed_memory_kept

pytestmark = pytest.mark.skipif(_tunable() is None, reason="another C library, or malloc is tuned by the environment")

SIZE = 48 * 2**20  # bytes


class MallInfo(ctypes.Structure):
    """What glibc's mallinfo2 returns."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", *"abcdef"))


def mapped_blocks() -> int:
    """Blocks of malloc that the system gets back as soon as they are let go."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = MallInfo
    return int(mallinfo().hblks)


def is_kept() -> bool:
    """Whether a block larger than any that malloc has would stay with the process; it is not written."""
    before = mapped_blocks()
    block = torch.empty(2**32, dtype=torch.uint8)
    return len(block) > 0 and mapped_blocks() == before


def faults_of_a_new_tensor() -> int:
    """Pages that the system clears for one that is written."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(SIZE, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def clears_no_page_after_a_while() -> None:
    with freed_memory_kept():
        assert min(faults_of_a_new_tensor() for _ in range(20)) < 10


def gives_all_of_it_back() -> None:
    assert not is_kept()
    with freed_memory_kept():
        assert is_kept()
        faults_of_a_new_tensor()
        inside = resident_bytes()
    assert inside - resident_bytes() > 0.9 * SIZE
    assert not is_kept()


def ends_with_the_last_of_several_and_with_an_error() -> None:
    def fails() -> None:
        with freed_memory_kept():
            with freed_memory_kept():
                pass
            assert is_kept()
            raise MemoryError

    with pytest.raises(MemoryError):
        fails()
    assert not is_kept()


@pytest.mark.parametrize(
    "claim", [clears_no_page_after_a_while, gives_all_of_it_back, ends_with_the_last_of_several_and_with_an_error]
)
def test_in_a_process_whose_memory_is_new(claim: Callable[[], None]) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(claim).result()


def test_malloc_that_the_environment_tunes_stays_as_it_is() -> None:
    code = "from visionbias.runtime.freed_memory import _tunable; print(_tunable())"
    tuned = subprocess.run(
        [sys.executable, "-c", code], env={"MALLOC_ARENA_MAX": "2"}, capture_output=True, text=True, check=True
    )
    assert tuned.stdout.strip() == "None"
