# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Random words and uniform numbers, for permutations and phases."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops.philox import torch as philox_torch


def random_words(
    seed: int,
    stream: int,
    keys: NDArray[np.uint32],  # [N, 2]
    n: int,
    device: torch.device,
) -> Tensor:  # [N, n] int64, below 2^32
    """The first n words of each sample's sequence."""
    pairs = torch.from_numpy(keys.astype(np.int64)).to(device)
    counter = torch.arange(-(-n // 4), device=device)
    return philox_torch.words_at(seed, stream, pairs[:, None], counter).flatten(1)[:, :n]


def unit_uniforms(
    seed: int,
    stream: int,
    keys: NDArray[np.uint32],  # [N, 2]
    n: int,
    device: torch.device,
) -> Tensor:  # [N, n] float32
    """Numbers in (0, 1) that float32 holds exactly: (k + 1/2) / 2^23."""
    return philox_torch.fraction(random_words(seed, stream, keys, n, device) >> 9)
