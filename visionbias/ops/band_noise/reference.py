# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""band_noise: the definition, in float64.

field X [..., H, W] -> A_b X A_b^T - A_{b+1} X A_{b+1}^T (the residual: A_b X A_b^T), with the rms of the finest band
image [H, W] u8 or in [0, 1] -> (grey - mean) * contrast + luminance, plus noise, back in bounds where it leaves [0, 1]
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visionbias.ops.band_noise.pyramid import level_count, smoothing
from visionbias.ops.tensors import LUMA

Array = NDArray[np.float64]
Redraw = Callable[[NDArray[np.int64], int], Array]  # (places of pixels, attempt) -> unit normals

LOW, HIGH = 0.1, 0.9  # where pixels go that noise brought below 0, above 1


def reconstruction(field: Array, level: int) -> Array:
    """One level of the pyramid, at the size of the field."""
    h, w = field.shape[-2:]
    smooth: Array = smoothing(h, level) @ field @ smoothing(w, level).T
    if level == level_count(h, w) - 1:
        return smooth
    return smooth - smoothing(h, level + 1) @ field @ smoothing(w, level + 1).T


def band_noise(field: Array, level: int) -> Array:
    """The level with the rms of level 0 of the same field."""
    finest, band = (np.sqrt(np.square(reconstruction(field, b)).mean((-2, -1), keepdims=True)) for b in (0, level))
    scale: Array = np.divide(finest, band, out=np.zeros_like(band), where=band > 0)
    return reconstruction(field, level) * scale


def low_contrast(pixels: Array, rounds: bool, contrast: float, luminance: float) -> Array:  # [C, H, W] -> [H, W]
    """Grey, with its own mean moved to `luminance`; `rounds` for images that were u8, as Pillow rounds them."""
    grey = pixels[0]
    if len(pixels) == 3:
        weighted = sum(weight * channel for weight, channel in zip(LUMA, pixels, strict=True))
        grey = np.floor((np.rint(weighted * 255.0) + 32768) / 65536) / 255.0 if rounds else weighted / 65536
    image: Array = (grey - grey.mean()) * contrast + luminance
    return image


def add_noise(image: Array, noise: Array, sd: float, redraw: Redraw) -> Array:  # [H, W], noise with its sd applied
    """Image plus noise in [0, 1]."""
    y = image + noise
    low, high = y < 0.0, y > 1.0
    result = np.where(low, LOW, np.where(high, HIGH, y))
    pending = np.flatnonzero((low & (LOW - noise > 1.0)) | (high & (HIGH - noise < 0.0)))
    attempt = 0
    while len(pending):
        drawn = image.flat[pending] + sd * redraw(pending, attempt)
        inside = (drawn >= 0.0) & (drawn <= 1.0)
        result.flat[pending[inside]] = drawn[inside]
        pending, attempt = pending[~inside], attempt + 1
    return result
