# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""From names to the numbers that tell random sequences apart."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError


def stream(name: str) -> int:
    """The 32-bit number of a sequence, such as "band_noise/5"; what shares a name shares its random numbers."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little")


def sample_keys(op: str, sample_ids: Sequence[str], n: int) -> NDArray[np.uint32]:  # [N, 2]
    """Two words a sample, from a 64-bit hash of its id.

    Raises:
        ShapeError: there are not `n` ids, or one is no text.
    """
    listed = isinstance(sample_ids, Sequence) and not isinstance(sample_ids, str)
    if not listed or not all(isinstance(id_, str) for id_ in sample_ids):
        raise ShapeError(
            f"{op}: sample_ids must be one text an image, got {sample_ids!r:.80}; try [str(i) for i in ids]"
        )
    if len(sample_ids) != n:
        raise ShapeError(f"{op}: wanted a sample id for each of {n} images, got {len(sample_ids)}")
    digests = (blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).digest() for id_ in sample_ids)
    return np.frombuffer(b"".join(digests), dtype="<u4").reshape(n, 2).astype(np.uint32)


def checked_seed(op: str, seed: int) -> int:
    """The seed as a plain number.

    Raises:
        ShapeError: it is no whole number of 64 bits.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ShapeError(f"{op}: seed must be a whole number in [0, 2^64), got {seed!r}")
    return int(seed)
