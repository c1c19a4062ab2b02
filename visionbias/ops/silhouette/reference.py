# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""silhouette: the definition, in float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def silhouette(
    mask: Array,  # [N, 1, H, W] in [0, 1]
    texture: Array,  # [N, C, H, W] in [0, 1]
    ground: Array | float,  # [N, C, H, W] in [0, 1], or one intensity
) -> Array:
    """Texture where the mask is 1, ground where it is 0, [N, C, H, W]."""
    return mask * texture + (1.0 - mask) * ground
