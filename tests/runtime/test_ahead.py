# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Work that a thread does ahead: in order, one piece and no more, and over when the caller is."""

import threading
from collections.abc import Iterator

import pytest

from visionbias.runtime.ahead import done_ahead


def test_results_come_in_order_each_with_its_item() -> None:
    assert list(done_ahead(lambda i: i * i, range(5), "squares")) == [(i, i * i) for i in range(5)]
    assert list(done_ahead(abs, [], "nothing")) == []


def test_the_next_is_done_while_the_caller_holds_one_and_no_more_is_taken() -> None:
    begun = [threading.Event() for _ in range(4)]
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(4):
            taken.append(i)
            yield i

    def work(i: int) -> int:
        begun[i].set()
        return i

    for held, _ in done_ahead(work, items(), "work"):
        if held < 3:
            assert begun[held + 1].wait(10), "the next waits for the caller"
        assert taken == list(range(min(held + 2, 4)))


def test_what_work_raises_comes_in_its_place() -> None:
    def work(i: int) -> int:
        if i == 2:
            raise MemoryError("no room for 2")
        return i

    found = []
    with pytest.raises(MemoryError, match="no room for 2"):
        found.extend(done_ahead(work, range(5), "work"))
    assert found == [(0, 0), (1, 1)]


def test_a_caller_that_stops_leaves_no_thread() -> None:
    ahead = done_ahead(abs, range(5), "visionbias-stopped")
    next(ahead)
    ahead.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("visionbias-stopped")]
