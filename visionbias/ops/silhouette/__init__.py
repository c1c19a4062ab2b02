# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A mask filled with a texture."""

from visionbias.ops.silhouette.function import silhouette

__all__ = ["silhouette"]
