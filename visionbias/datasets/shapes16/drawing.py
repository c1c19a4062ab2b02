# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of the 16 categories from three layers: a silhouette, the texture that fills it, and the ground behind it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from visionbias.datasets.shapes16.silhouettes import CATEGORIES, draw_silhouette
from visionbias.datasets.shapes16.textures import draw_ground, draw_texture

Pixels = npt.NDArray[np.uint8]
Split = Literal["train", "test"]
VERSION = 2  # of the drawing: raise it when any pixel changes, since folders and networks are cached under it


@dataclass(frozen=True, slots=True)
class Layers:
    """What an image is made of, kept apart so that cues can be exchanged between images; leading axes are free."""

    mask: Pixels  # [..., H, W], coverage by the silhouette
    fill: Pixels  # [..., H, W, 3], the texture, over the full frame
    ground: Pixels  # [..., H, W, 3], with the silhouette's soft shadow


def image_rng(seed: int, split: Split, number: int, label: int) -> np.random.Generator:
    """The source of all that is random in image `number` of category `label`, whatever else is drawn."""
    return np.random.default_rng((seed, ("train", "test").index(split), number, label))


def draw_layers(
    shape: str, texture: str | None, rng: np.random.Generator, size: int = 64, *, flat: bool = False
) -> Layers:
    """The layers of one image, u8: the silhouette of category `shape`, filled with `texture`.

    `texture` names a category, a held-out texture, or is None for an even mid-grey; `flat` keeps only its mean color.
    Pose, texture and ground draw from streams of their own, so the pose does not depend on the texture asked for.
    """
    poses, fills, grounds = rng.spawn(3)
    mask = draw_silhouette(shape, poses, size)
    fill = (
        np.full((size, size, 3), 0.5, np.float32) if texture is None else draw_texture(texture, fills, size, flat=flat)
    )
    shadow = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(size / 22))
    ground = draw_ground(grounds, size) * (1 - 0.55 / 255 * np.asarray(shadow, np.float32))[..., None]
    return Layers(mask, _u8(fill), _u8(ground))


def compose(layers: Layers) -> Pixels:
    """The image [..., H, W, 3] u8 of `layers`: ground outside the silhouette, fill inside, mixed along its edge."""
    alpha = layers.mask.astype(np.uint16)[..., None]
    mixed = layers.fill * alpha + layers.ground * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def draw_image(
    shape: str, texture: str | None, rng: np.random.Generator, size: int = 64, *, flat: bool = False
) -> Pixels:
    """One image [size, size, 3] u8; see `draw_layers`."""
    return compose(draw_layers(shape, texture, rng, size, flat=flat))


def draw_sketch(shape: str, rng: np.random.Generator, size: int = 64) -> Pixels:
    """The outline of category `shape` as a dark line on white, [size, size, 3] u8, in the pose of `draw_layers`."""
    mask = Image.fromarray(draw_silhouette(shape, rng.spawn(1)[0], size))
    outer, inner = (
        np.asarray(mask.filter(edge), np.int16) for edge in (ImageFilter.MaxFilter(3), ImageFilter.MinFilter(3))
    )
    return np.repeat((255 - 0.85 * (outer - inner)).astype(np.uint8)[..., None], 3, axis=-1)


def _u8(frame: npt.NDArray[np.float32]) -> Pixels:
    return (frame * 255 + 0.5).astype(np.uint8)


def draw_layer_set(
    per_class: int, size: int = 64, seed: int = 0, split: Split = "train"
) -> tuple[Layers, npt.NDArray[np.int64]]:  # layers with a leading axis [16 * per_class], labels [16 * per_class]
    """The layers of `Shapes16(size, per_class, seed, split)` in memory, class after class: shape and texture agree."""
    drawn = [
        draw_layers(category, category, image_rng(seed, split, number, label), size)
        for label, category in enumerate(CATEGORIES)
        for number in range(per_class)
    ]
    stacked = (np.stack([getattr(layers, part) for layers in drawn]) for part in ("mask", "fill", "ground"))
    return Layers(*stacked), np.repeat(np.arange(len(CATEGORIES)), per_class)
