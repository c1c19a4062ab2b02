# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What each benchmark amounts to: its layout, its official counts, and the classes that a model decides among."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from visionbias.datasets.benchmarks.two_hundred import IMAGENET_A, IMAGENET_R
from visionbias.datasets.label_map import imagenet_wnids
from visionbias.datasets.sixteen import CATEGORIES16


@dataclass(frozen=True)
class Description:
    """One benchmark as it is published."""

    title: str  # in its authors' words
    images: int  # of a set of corruptions: under each corruption and severity
    subset: tuple[int, ...] = ()  # of ImageNet's classes: those that it has, if not all
    # Folders are named by WordNet id, by class index (0 ... 999, which text would sort otherwise), or by category.
    folders: Literal["wnid", "index", "category"] = "wnid"
    corruptions: tuple[str, ...] = ()  # folders above those of the severities, above those of the classes
    optional: frozenset[str] = frozenset()  # corruptions that are published apart: all of them, or none
    precropped: bool = False

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What a model decides among: categories or WordNet ids, in order."""
        if self.folders == "category":
            return tuple(CATEGORIES16)
        wnids = imagenet_wnids()
        return tuple(wnids[i] for i in self.subset) if self.subset else wnids

    def total(self, cells: Collection[str] = ()) -> int:
        """Images of the whole set; the optional corruptions count if one of them is among the cells, as "spatter/1"."""
        optional = any(cell.split("/")[0] in self.optional for cell in cells)
        corruptions = [name for name in self.corruptions if optional or name not in self.optional]
        return self.images * (len(corruptions) * len(SEVERITIES) or 1)

    @property
    def layout(self) -> str:
        """The path of an image."""
        folder = {"wnid": "<WordNet id>", "index": "<0 ... 999>", "category": "<category>"}[self.folders]
        return f"{'<corruption>/<severity>/' if self.corruptions else ''}{folder}/<image>"


SEVERITIES = ("1", "2", "3", "4", "5")

# Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR 2019.
C15 = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
_EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
C19 = (*C15, *_EXTRA)

# Mintun et al., "On interaction between augmentations and corruptions in natural corruption robustness", NeurIPS 2021.
_C_BAR = (
    "blue_noise_sample",
    "brownish_noise",
    "caustic_refraction",
    "checkerboard_cutout",
    "cocentric_sine_waves",
    "inverse_sparkles",
    "perlin_noise",
    "plasma_noise",
    "single_frequency_greyscale",
    "sparkles",
)

BENCHMARKS: Mapping[str, Description] = {
    "imagenet_val": Description("ImageNet's validation set", 50_000),
    "imagenet_v2_matched_frequency": Description("ImageNet-V2 matched-frequency", 10_000, folders="index"),
    "imagenet_v2_threshold0.7": Description("ImageNet-V2 threshold-0.7", 10_000, folders="index"),
    "imagenet_v2_top_images": Description("ImageNet-V2 top-images", 10_000, folders="index"),
    "imagenet_a": Description("ImageNet-A", 7_500, subset=IMAGENET_A),
    "imagenet_r": Description("ImageNet-R", 30_000, subset=IMAGENET_R),
    "sketch": Description("ImageNet-Sketch", 50_889),
    "stylized": Description("16-class Stylized-ImageNet", 800, folders="category", precropped=True),
    "imagenet_c": Description("ImageNet-C", 50_000, corruptions=C19, optional=frozenset(_EXTRA), precropped=True),
    "imagenet_c_bar": Description("ImageNet-C-bar", 50_000, corruptions=_C_BAR, precropped=True),
}
