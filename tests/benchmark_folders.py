# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Small copies of the published benchmarks, each in its official layout."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from visionbias.datasets.benchmarks import C19, SEVERITIES
from visionbias.datasets.benchmarks.descriptions import BENCHMARKS
from visionbias.datasets.label_map import imagenet_wnids

CLASSES = (11, 207, 301, 717, 999)  # of ImageNet's, that the small copies have; -A has three of them, -R four
CATEGORIES = ("airplane", "bicycle", "cat", "knife", "oven", "truck")
SIDE = 32


def write_images(root: Path, paths: Iterable[str], seed: int, side: int = SIDE) -> Path:
    """Images of random color and structure, each different."""
    rng = np.random.default_rng(seed)
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((side, side)).save(root / path, format="JPEG", quality=95)
    return root


def link_images(root: Path, paths: Iterable[str]) -> Path:
    """One small image under many names, for sets of official size."""
    root.mkdir(parents=True, exist_ok=True)
    write_images(root.parent, [f"{root.name}.JPEG"], 0, side=8)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(root.parent / f"{root.name}.JPEG", root / path)
    return root


def wnid(index: int) -> str:
    return imagenet_wnids()[index]


def val_paths(n: int = 3) -> list[str]:
    """n images a class, numbered through from 11 on."""
    return [f"{wnid(c)}/ILSVRC2012_val_{11 + i * n + j:08d}.JPEG" for i, c in enumerate(CLASSES) for j in range(n)]


def small_copies(root: Path) -> dict[str, Path]:
    """Option of `Generalization` -> place of a small copy; ImageNet-A and -R have three and four of the classes."""
    names = [f"{cell}/{severity}" for cell in C19 for severity in SEVERITIES]
    bar = [f"{cell}/{severity}" for cell in BENCHMARKS["imagenet_c_bar"].corruptions for severity in SEVERITIES]
    labels: list[list[int]] = [[] for _ in range(50_000)]
    for i, path in enumerate(val_paths()):
        number = int(path[-13:-5])
        labels[number - 1] = [[], [i % 1000, CLASSES[0]], list(range(1000))][i % 3]  # none, two, all
    root.mkdir(parents=True, exist_ok=True)
    (root / "real.json").write_text(json.dumps(labels))
    v2 = root / "v2" / "imagenetv2-matched-frequency-format-val"
    return {
        "imagenet_val": write_images(root / "val", val_paths(), 1, side=40),
        "imagenet_v2": write_images(v2, [f"{c}/{j}.jpeg" for c in CLASSES for j in range(2)], 2, side=40),
        "real": root / "real.json",
        "imagenet_a": write_images(root / "a", [f"{wnid(c)}/{j}.jpg" for c in CLASSES[:3] for j in range(8)], 3),
        "imagenet_r": write_images(root / "r", [f"{wnid(c)}/art_{j}.jpg" for c in CLASSES[:4] for j in range(3)], 4),
        "sketch": write_images(root / "sketch", [f"{wnid(c)}/sketch_{j}.JPEG" for c in CLASSES for j in range(2)], 5),
        "stylized": write_images(
            root / "stylized", [f"{category}/{j}.png" for category in CATEGORIES for j in range(8)], 6
        ),
        "imagenet_c": write_images(root / "c", [f"{cell}/{path}" for cell in names for path in val_paths(1)], 7),
        "imagenet_c_bar": write_images(root / "cbar", [f"{cell}/{path}" for cell in bar for path in val_paths(1)], 8),
    }
