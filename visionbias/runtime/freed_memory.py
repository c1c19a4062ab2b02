# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Memory of the host that tensors let go, for those that follow."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_DEFAULT_MMAP_MAX = 65536
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # that malloc comes to by itself, with twice as much for the other
_NONE, _MOST = 0, 2**31 - 1

_lock = Lock()
_inside = 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, what tensors of the host let go stays with the process, as far as it is less than 2 GiB at a time; at the
    end the system gets it back.

    By default glibc's malloc hands every large block back at once, and the system clears each page again for the next
    layer, a tenth of the time of a ResNet-50 in bfloat16 (benchmarks/results/engine.jsonl). All threads of the process
    are concerned, and afterwards malloc's thresholds stay where they come to by themselves at most, at 32 and 64 MiB.
    Nothing changes with another C library, or where the environment tunes malloc.
    """
    global _inside
    libc = _tunable()
    with _lock:
        _inside += 1
        if libc is not None and _inside == 1:
            libc.mallopt(_MMAP_MAX, _NONE)
            libc.mallopt(_TRIM_THRESHOLD, _MOST)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if libc is not None and _inside == 0:
                libc.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
                libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
                libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
                libc.malloc_trim(0)


def _tunable() -> ctypes.CDLL | None:
    """The C library, if it is glibc and malloc is as it comes."""
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
