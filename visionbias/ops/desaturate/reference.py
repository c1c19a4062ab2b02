# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""desaturate: the definition, in float64."""

import numpy as np
from numpy.typing import NDArray

from visionbias.ops.tensors import LUMA

Array = NDArray[np.float64]


def desaturate(x: Array, strength: float) -> Array:  # [N, 3, H, W]
    """Each channel moved to the luma by a share of its distance."""
    luma: Array = np.tensordot(np.array(LUMA) / 65536, x, axes=(0, 1))
    return x + strength * (luma[:, None] - x)
