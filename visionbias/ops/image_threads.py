# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images spread over CPU threads, in each of which torch's operators run alone.

An operator on one image is too short to be split: its threads meet hundreds of times an image, and on a machine that is
shared each meeting waits for the slowest. Images need no meeting.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import pairwise
from threading import Barrier
from typing import Any

import torch

# Beyond this the interpreter lock, held between operators, is what limits.
MOST_THREADS = 8


def over_images(work: Callable[[int, int], None], n: int) -> None:
    """Call `work(start, stop)` on parts of range(n), as many as `torch.get_num_threads()` allows, and wait for all."""
    threads = min(torch.get_num_threads(), n, MOST_THREADS)
    if threads <= 1:
        work(0, n)
        return
    inference = torch.is_inference_mode_enabled()

    def part(start: int, stop: int) -> None:
        # Both modes belong to a thread; a tensor made in inference mode cannot be written outside it.
        with torch.inference_mode(inference), torch.no_grad():
            work(start, stop)

    bounds = [n * i // threads for i in range(threads + 1)]
    pool = _workers(threads, os.getpid())
    _wait([pool.submit(part, start, stop) for start, stop in pairwise(bounds)])


def _wait(futures: list[Future[Any]]) -> None:
    """For all of them, then for their errors. Not `pool.map`: torch.compile cannot follow its generator."""
    wait(futures)
    for future in futures:
        future.result()


def _alone() -> None:
    torch.set_num_threads(1)
    # A thread adopts the number last set anywhere when first asked for its own: here, before the caller sets it back.
    torch.get_num_threads()


@lru_cache(maxsize=1)
def _workers(threads: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 (threads do not survive a fork)
    caller = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "visionbias-images", initializer=_alone)
    started = Barrier(threads)
    _wait([pool.submit(started.wait) for _ in range(threads)])
    # The number is kept a thread, but the last one set is also what threads to come start with.
    torch.set_num_threads(caller)
    return pool
