# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of an image that change places."""

from visionbias.ops.patch_shuffle.function import patch_shuffle

__all__ = ["patch_shuffle"]
