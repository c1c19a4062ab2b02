# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Cue-conflict images: the shape of one category with the texture of another."""

import re
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import LabelMapLike, settle_classes
from visionbias.datasets.listing import absolute_path, find_images
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample

_NAME = re.compile(r"(?:.*_)?(?P<shape>[A-Za-z]+)\d+-(?P<texture>[A-Za-z]+)\d+")


class CueConflictFolder(Dataset):
    """Files `<shape>N-<texture>M.png`, optionally behind a prefix that ends in `_`, in a folder per shape category.

    Labels are the shape categories; `textures` holds the texture categories of the same samples. Categories are all
    that occur or that the label map names, sorted.

    Args:
        root: the folder that holds the category folders.
        label_map, name: as `ImageFolder`; by default a 1000-class model decides among the 16 categories.
        precropped: the images are published as crops and must not be resized; false for images of other sizes.

    Raises:
        DataError: no such folder or no image in it, a name that does not parse, or a file in another category's folder.

    Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019.
    """

    def __init__(
        self, root: str | Path, *, label_map: LabelMapLike = None, name: str | None = None, precropped: bool = True
    ) -> None:
        root = absolute_path("CueConflictFolder: root", root)
        bad: list[BadSample] = []
        cues: dict[str, tuple[Path, str, str]] = {}  # id -> path, shape, texture
        for found in find_images(root):
            if found.fault is not None:
                bad.append(BadSample(found.id, found.fault))
            else:
                cues[found.id] = (found.path, *_parse(root, found.id))
        name = name or root.resolve().name
        categories = {category for _, *pair in cues.values() for category in pair}
        classes, label_map = settle_classes(name, categories, None, label_map)
        labels = {category: label for label, category in enumerate(classes)}
        self._assemble(
            name=name,
            root=root,
            samples=[Sample(id_, path, labels[shape]) for id_, (path, shape, _) in cues.items()],
            classes=classes,
            bad=bad,
            label_map=label_map,
            precropped=precropped,
            textures={id_: labels[texture] for id_, (_, _, texture) in cues.items()},
        )


def parse_cues(stem: str) -> tuple[str, str] | None:
    """Shape and texture category from a file's name without its suffix, if it is one like cat7-elephant1."""
    match = _NAME.fullmatch(stem)
    return (match["shape"], match["texture"]) if match else None


def _parse(root: Path, id_: str) -> tuple[str, str]:
    """Shape and texture category of one file."""
    *folders, file = id_.split("/")
    cues = parse_cues(file.rsplit(".", 1)[0])
    if cues is None:
        raise DataError(f"{root / id_}: wanted a name like cat7-elephant1.png (shape, number, texture, number)")
    if folders and folders[-1] != cues[0]:
        raise DataError(f"{root / id_}: its name says shape {cues[0]!r}, its folder {folders[-1]!r}; move or rename it")
    return cues
