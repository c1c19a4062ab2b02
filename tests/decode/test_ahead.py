# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decoding beside whoever stores the crops: in order, ahead by so much and no more, and over when the caller is."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest

from visionbias.decode.ahead import Crop, decode_ahead
from visionbias.decode.pillow import BadReason, PillowDecoder, decode_pillow
from visionbias.decode.source import Content
from visionbias.types import Preprocessing

SMALL = Preprocessing(36, 32)


class Counting(PillowDecoder):
    """Says how many batches it has begun."""

    def __init__(self) -> None:
        super().__init__(SMALL, 1)
        self.begun = threading.Semaphore(0)

    def decode(self, items: Sequence[bytes]) -> list[Crop]:
        self.begun.release()
        return super().decode(items)


@pytest.fixture
def decoder() -> Iterator[Counting]:
    with closing(Counting()) as decoder:
        yield decoder


@pytest.fixture
def batches(draw, encode) -> list[list[Content]]:
    """Five of two images each; a file of the second could not be read."""
    made = [[Content(encode(draw(40, 40, seed=2 * b + i), "PNG"), bytes(32)) for i in range(2)] for b in range(5)]
    made[1][0] = Content(b"", bytes(32), "not a regular file")
    return made


def test_batches_come_in_order_and_whole(batches, decoder) -> None:
    found = list(decode_ahead(batches, decoder))
    assert [contents for contents, _ in found] == batches
    for contents, crops in found:
        for content, crop in zip(contents, crops, strict=True):
            if content.unread is None:
                assert np.array_equal(crop, decode_pillow(content.data, SMALL))
            else:
                assert crop == BadReason("not a regular file")


def test_next_is_decoded_while_the_caller_works_and_no_more_is_read(batches, decoder) -> None:
    read = 0

    def reading() -> Iterator[list[Content]]:
        nonlocal read
        for batch in batches:
            read += 1
            yield batch

    for held, _ in enumerate(decode_ahead(reading(), decoder)):
        assert decoder.begun.acquire(timeout=10)  # the batch that the caller holds
        if held < len(batches) - 1:
            assert decoder.begun.acquire(timeout=10), "the next waits for the caller"
            decoder.begun.release()
        assert read <= held + 2


def test_what_the_decoder_raises_reaches_the_caller(batches, decoder) -> None:
    def broken(_: Sequence[bytes]) -> list[Crop]:
        raise MemoryError("no room")

    decoder.decode = broken
    with pytest.raises(MemoryError, match="no room"):
        list(decode_ahead(batches, decoder))


def test_caller_that_stops_leaves_no_thread(batches, decoder) -> None:
    ahead = decode_ahead(batches, decoder)
    next(ahead)
    ahead.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("visionbias-decode")]
