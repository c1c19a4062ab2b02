# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A drawn image set of 16 categories whose cues are known: each has its own silhouette, texture and range of colors."""

from pathlib import Path

from visionbias.datasets.folder import ImageFolder
from visionbias.datasets.shapes16.corruptions import Corruption
from visionbias.datasets.shapes16.drawing import Layers, Split, compose, draw_image, draw_layer_set, draw_layers
from visionbias.datasets.shapes16.folder import Texture, write_images
from visionbias.datasets.shapes16.silhouettes import CATEGORIES
from visionbias.datasets.shapes16.textures import HELD_OUT_TEXTURES

__all__ = [
    "CATEGORIES",
    "HELD_OUT_TEXTURES",
    "Layers",
    "Shapes16",
    "compose",
    "draw_image",
    "draw_layer_set",
    "draw_layers",
]


class Shapes16(ImageFolder):
    """`16 * per_class` drawn images as PNG files, made on first use and then an ordinary folder of crops.

    The pixels of an image depend on (seed, split, category, number) alone; its pose is the same for every `texture`.

    Args:
        size: side of the images in pixels.
        per_class: images of each category.
        seed, split: choose other images of the same kind.
        texture: what fills the silhouettes: "own", the category's; "other", another category's (files are then named as
            `CueConflictFolder` reads them); "held-out", of no category; "flat", one color; "grey", the same grey for
            all; "sketch", nothing: dark outlines on white.
        corruption: what is done to each image at last: "noise", "blur", "contrast" (less of it) or "jpeg".
        folder: where such sets are kept. Default `shapes16` in `$VISIONBIAS_CACHE` or `~/.cache/visionbias`.
        progress: show a bar while drawing; `None`: on a terminal only.

    Raises:
        DataError: an argument is not as above, or the images cannot be written.
    """

    def __init__(
        self,
        size: int = 64,
        per_class: int = 40,
        seed: int = 0,
        split: Split = "test",
        *,
        texture: Texture = "own",
        corruption: Corruption | None = None,
        folder: str | Path | None = None,
        progress: bool | None = None,
    ) -> None:
        root = write_images(size, per_class, seed, split, texture, corruption, folder, progress)
        super().__init__(root, name="-".join(filter(None, ("shapes16", split, texture, corruption))), precropped=True)
