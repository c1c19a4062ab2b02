# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Color taken away at graded strength."""

from visionbias.ops.desaturate.function import desaturate

__all__ = ["desaturate"]
