# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Training recipes whose effect on a network's biases is known, so that a study of them checks the instrument."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

Augment = Callable[[Tensor, torch.Generator], Tensor]  # [N, 3, H, W] in [0, 1] -> the same
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained, and what must come of it."""

    name: str
    effect: str
    cue: Literal["both", "shape", "texture"] = "both"  # which one tells the class; the other is another image's
    augment: Augment | None = None
    attack: float = 0.0  # radius in [0, 1] pixel units of the worst-case noise (linf) added to half of the images
    steps: int = 130

    @property
    def cost(self) -> float:
        """Training time relative to the other recipes: half of an attack is most of a pass forward and back."""
        return self.steps * (1.4 if self.attack else 1.0)


def _uniform(images: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """A number for each image, [N, 1, 1, 1]."""
    return low + (high - low) * torch.rand((len(images), 1, 1, 1), generator=generator)


def _smooth(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a standard deviation for each image, in 1/64 of the frame."""
    height, width = images.shape[-2:]
    fy, fx = torch.fft.fftfreq(height) * height / 64, torch.fft.rfftfreq(width) * width / 64
    gain = torch.exp(-2 * torch.pi**2 * sigma**2 * (fy[:, None] ** 2 + fx**2))
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * gain, s=(height, width))
    return smooth


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Remove fine detail, from a quarter of the images next to none."""
    return _smooth(images, _uniform(images, -1.0, 3.0, generator).clamp(min=0)).clamp(0, 1)


def highpass(images: Tensor, generator: torch.Generator) -> Tensor:
    """Remove all but fine detail from 85 % of the images; what is left is clipped at black."""
    fine = (images - _smooth(images, _uniform(images, 0.4, 1.2, generator))).clamp(0, 1)
    return torch.where(_uniform(images, 0, 1, generator) < 0.85, fine, images)


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise to three images of four: white noise to most of them, that of a coarser octave to the others."""
    size = images.shape[-2:]
    octaves = [torch.randn((*images.shape[:2], size[0] >> k, size[1] >> k), generator=generator) for k in range(4)]
    fields = torch.stack([interpolate(octave, size, mode="bilinear") for octave in octaves])
    fields = fields / fields.std(dim=(-2, -1), keepdim=True)
    octave = (_uniform(images, -7.0, 4.0, generator).clamp(min=0)).long().expand_as(images)
    sd = _uniform(images, -0.2, 0.57, generator).clamp(min=0)
    return (images + sd * fields.gather(0, octave[None])[0]).clamp(0, 1)


def grayscale(images: Tensor, generator: torch.Generator) -> Tensor:
    """Remove color from half of the images; exchange the others' channels, so that colors are seen but tell nothing."""
    grey = (images * torch.tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    order = torch.rand((len(images), 3), generator=generator).argsort(1)
    recolored = images.gather(1, order[:, :, None, None].expand_as(images))
    return torch.where(_uniform(images, 0, 1, generator) < 0.5, grey, recolored)


def heavy(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and the balance of colors, and cover a quarter of the frame with grey."""
    n, _, height, width = images.shape
    color = torch.rand((n, 3, 1, 1), generator=generator) - 0.5
    jittered = 0.5 + (images - 0.5) * _uniform(images, 0.5, 1.3, generator) + 0.3 * color
    y, x = torch.arange(height).view(1, 1, -1, 1) / height, torch.arange(width) / width
    top, left = _uniform(images, -0.25, 0.75, generator), _uniform(images, -0.25, 0.75, generator)
    covered = (y >= top) & (y < top + 0.5) & (x >= left) & (x < left + 0.5)
    return torch.where(covered, 0.5, jittered.clamp(0, 1))


_ALL = (
    Recipe("baseline", "what the others are compared with"),
    Recipe("longer", "as baseline, with higher accuracy", steps=230),
    Recipe("blurred", "keeps its accuracy under low-pass filters", augment=blur, steps=220),
    Recipe("noise-trained", "relies on low frequencies and tolerates noise", augment=noise, steps=340),
    Recipe("highpass", "keeps its accuracy under high-pass filters", augment=highpass, steps=300),
    Recipe("stylized", "decides by shape", cue="shape", steps=300),
    Recipe("textured", "decides by texture", cue="texture"),
    Recipe("grayscale", "does not miss color", augment=grayscale, steps=140),
    Recipe("heavy", "tolerates changes of color and occlusion", augment=heavy, steps=150),
    Recipe("attack-trained", "tolerates small worst-case noise", attack=2 / 255, steps=170),
)
RECIPES = {recipe.name: recipe for recipe in _ALL}
