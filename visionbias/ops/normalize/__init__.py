# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images as a model takes them: (x - mean) / std, cast and laid out."""

from visionbias.ops.normalize.function import normalize

__all__ = ["normalize"]
