# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a backend of desaturate prepares."""

from collections.abc import Callable

from torch import Tensor

Kernel = Callable[[Tensor, float, Tensor], None]  # x, strength, out
