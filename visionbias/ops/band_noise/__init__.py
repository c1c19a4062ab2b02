# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Noise of one octave, and grey low-contrast images in it: critical-band masking."""

from visionbias.ops.band_noise.function import band_noise, critical_band

__all__ = ["band_noise", "critical_band"]
