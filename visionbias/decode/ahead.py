# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decodes in a thread, so that the decoder need not wait for whoever stores its crops."""

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from visionbias.decode.choice import Decoder
from visionbias.decode.pillow import BadReason
from visionbias.decode.source import Content

Crop = NDArray[np.uint8] | BadReason  # [crop, crop, 3]


def decode_ahead(
    batches: Iterable[list[Content]], decoder: Decoder
) -> Generator[tuple[list[Content], list[Crop]], None, None]:
    """Contents and crops of each batch. While the caller works on one, the next is decoded."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="visionbias-decode")
    ahead: tuple[list[Content], Future[list[Crop]]] | None = None
    try:
        for contents in batches:
            decoding = worker.submit(_decode, decoder, contents)
            if ahead is not None:
                yield ahead[0], ahead[1].result()
            ahead = contents, decoding
        if ahead is not None:
            yield ahead[0], ahead[1].result()
    finally:
        worker.shutdown(cancel_futures=True)


def _decode(decoder: Decoder, contents: list[Content]) -> list[Crop]:
    crops = iter(decoder.decode([content.data for content in contents if content.unread is None]))
    return [next(crops) if content.unread is None else BadReason(content.unread) for content in contents]
