# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Projected gradient descent: the images nearby that a classifier gets wrong, in all frequencies or in a band."""

from visionbias.ops.pgd.function import pgd

__all__ = ["pgd"]
