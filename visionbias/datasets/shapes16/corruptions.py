# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Corruptions of drawn images, after kinds of ImageNet-C (Hendrycks & Dietterich 2019) and of one strength."""

import io
from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from visionbias.datasets.shapes16.drawing import Pixels

Corruption = Literal["noise", "blur", "contrast", "jpeg"]


def noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Gaussian, with a standard deviation of 0.12 of the pixel scale."""
    noisy: Pixels = np.clip(image + rng.normal(0.0, 30.0, image.shape), 0, 255).round().astype(np.uint8)
    return noisy


def blur(image: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Gaussian, with a standard deviation of 1/32 of the frame."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(len(image) / 32)))


def contrast(image: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """A third of what it was, around the mean of the image."""
    mean = image.mean()
    faded: Pixels = ((image - mean) / 3 + mean).round().astype(np.uint8)
    return faded


def jpeg(image: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Compressed at quality 10."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=10)
    return np.asarray(Image.open(content))


CORRUPTIONS: dict[Corruption, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "noise": noise,
    "blur": blur,
    "contrast": contrast,
    "jpeg": jpeg,
}
