# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Work for which nobody need wait: a thread does the next piece while the caller uses the one before."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def done_ahead(work: Callable[[T], R], items: Iterable[T], thread: str) -> Generator[tuple[T, R], None, None]:
    """Each item with what `work` makes of it, in order. While the caller holds one, a thread works on the next, and no
    more items are taken. What `work` raises is raised in place of its item. The thread, whose name begins with
    `thread`, ends with the generator: close it.
    """
    worker = ThreadPoolExecutor(1, thread_name_prefix=thread)
    ahead: tuple[T, Future[R]] | None = None
    try:
        for item in items:
            coming = worker.submit(work, item)
            if ahead is not None:
                yield ahead[0], ahead[1].result()
            ahead = item, coming
        if ahead is not None:
            yield ahead[0], ahead[1].result()
    finally:
        worker.shutdown(cancel_futures=True)
