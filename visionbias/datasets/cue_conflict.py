# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Cue-conflict images: the shape of one category with the texture of another."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import LabelMapLike, settle_classes
from visionbias.datasets.listing import absolute_path, find_images
from visionbias.datasets.partial import mark_partial
from visionbias.datasets.sixteen import CATEGORIES16
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample

_PER_CATEGORY = 80
PUBLISHED = len(CATEGORIES16) * _PER_CATEGORY  # images, 1,200 of them of conflicting cues

_NAME = re.compile(r"(?:.*_)?(?P<shape>[A-Za-z]+)\d+-(?P<texture>[A-Za-z]+)\d+")


class CueConflictFolder(Dataset):
    """Files `<shape>N-<texture>M.png`, optionally behind a prefix that ends in `_`, in a folder per shape category.

    Labels are the shape categories; `textures` holds the texture categories of the same samples. Categories are all
    that occur or that the label map names, sorted.

    Args:
        root: the folder that holds the category folders.
        label_map, name: as `ImageFolder`; by default a 1000-class model decides among the 16 categories.
        precropped: the images are published as crops and must not be resized; false for images of other sizes.
        official: the images are those that Geirhos et al. publish, 80 in the folder of each of the 16 categories.
        allow_partial: with `official`, take a folder whose categories or counts differ; the name ends in "[partial]".

    Raises:
        DataError: no such folder or no image in it, a name that does not parse, a file in another category's folder,
            or a set that is not whole.

    Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        label_map: LabelMapLike = None,
        name: str | None = None,
        precropped: bool = True,
        official: bool = False,
        allow_partial: bool = False,
    ) -> None:
        root = absolute_path("CueConflictFolder: root", root)
        for option, value in (("official", official), ("allow_partial", allow_partial)):
            if not isinstance(value, bool):
                raise DataError(f"CueConflictFolder: {option} must be True or False, got {value!r:.80}")
        if allow_partial and not official:
            raise DataError("CueConflictFolder: allow_partial=True goes with official=True only")
        bad: list[BadSample] = []
        cues: dict[str, tuple[Path, str, str]] = {}  # id -> path, shape, texture
        for found in find_images(root):
            if found.fault is not None:
                bad.append(BadSample(found.id, found.fault))
            else:
                cues[found.id] = (found.path, *_parse(root, found.id))
        name = name or root.resolve().name
        if official:
            what = f"the published cue-conflict set (<category>/<image>, {_PER_CATEGORY} of each category)"
            name = mark_partial(name, root, what, list(_differences(cues)), allow_partial)
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


def _differences(ids: Iterable[str]) -> Iterator[str]:
    """How the images that are there differ from the published ones."""
    counts = Counter(id_.rpartition("/")[0] for id_ in ids)
    if counts.total() != PUBLISHED:
        yield f"{counts.total():,} of {PUBLISHED:,} images"
    for folder in sorted({*CATEGORIES16, *counts}):
        wanted = _PER_CATEGORY if folder in CATEGORIES16 else 0
        if counts[folder] != wanted:
            yield f"{folder or '.'}: {counts[folder]:,} of {wanted} images"


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
