# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a backend of patch_shuffle prepares."""

from collections.abc import Callable

from torch import Tensor

Kernel = Callable[[Tensor, Tensor, int, Tensor], None]  # x, words [N, grid * grid], grid, out
