# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Inside, float32 is multiplied as such. By default a GPU's convolutions round what goes in to the 10 bits of TF32.

    The settings are the process's, so all its threads are concerned; at the end they are what they were.
    """
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    newer = cudnn.conv.fp32_precision, cuda.matmul.fp32_precision  # type: ignore[attr-defined]
    try:
        older = cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:  # where the newer names were used, the older ones cannot be read, but set
        older = None
    cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        if older is None:
            cudnn.conv.fp32_precision, cuda.matmul.fp32_precision = newer  # type: ignore[attr-defined]
        else:
            cudnn.allow_tf32 = older[0]
            torch.set_float32_matmul_precision(older[1])
