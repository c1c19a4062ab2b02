# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decodes in a thread, so that the decoder need not wait for whoever stores its crops."""

from collections.abc import Generator, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from visionbias.decode.choice import Decoder
from visionbias.decode.pillow import BadReason
from visionbias.decode.source import Content
from visionbias.runtime.ahead import done_ahead

Crop = NDArray[np.uint8] | BadReason  # [crop, crop, 3]


def decode_ahead(
    batches: Iterable[list[Content]], decoder: Decoder
) -> Generator[tuple[list[Content], list[Crop]], None, None]:
    """Contents and crops of each batch. While the caller works on one, the next is decoded."""
    return done_ahead(partial(_decode, decoder), batches, "visionbias-decode")


def _decode(decoder: Decoder, contents: list[Content]) -> list[Crop]:
    crops = iter(decoder.decode([content.data for content in contents if content.unread is None]))
    return [next(crops) if content.unread is None else BadReason(content.unread) for content in contents]
