# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a backend of silhouette prepares."""

from collections.abc import Callable

from torch import Tensor

Ground = Tensor | float
Kernel = Callable[[Tensor, Tensor, Ground, Tensor], None]  # mask, texture, ground, out
