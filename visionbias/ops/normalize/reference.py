# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""normalize: the definition, in float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def normalize(
    x: Array,  # [N, C, H, W] in [0, 1]
    mean: Array,  # [C]
    std: Array,  # [C]
) -> Array:
    """(x - mean) / std, [N, C, H, W]."""
    return (x - mean[:, None, None]) / std[:, None, None]
