# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A folder a class, as torchvision's `ImageFolder`."""

from collections.abc import Sequence
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import LabelMapLike, settle_classes
from visionbias.datasets.listing import absolute_path, find_images
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample


class ImageFolder(Dataset):
    """Images in one folder a class; classes are the names of folders and label map, sample ids the paths below `root`.

    Their order is that of text, as torchvision's, but that of numbers where all names are whole numbers.

    Args:
        root: the folder that holds the class folders. Folders inside a class folder belong to the class.
        label_map: how a model's classes become these, see `LabelMap`; `None` finds it from the class names. A class
            that it names may lack a folder: models decide among all.
        classes: all classes, in an order of yours, those without a folder too.
        name: of the data set; default the folder's name.
        precropped: the images are published as crops and must not be resized.

    Raises:
        DataError: no such folder, no class folders, one without images, or classes or label map do not fit them.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        label_map: LabelMapLike = None,
        classes: Sequence[str] | None = None,
        name: str | None = None,
        precropped: bool = False,
    ) -> None:
        root = absolute_path("ImageFolder: root", root)
        samples: list[tuple[str, str, Path]] = []
        bad: list[BadSample] = []
        loose = None
        for found in find_images(root):
            category, *rest = found.id.split("/")
            if found.fault is not None:
                bad.append(BadSample(found.id, found.fault))
            elif rest:
                samples.append((found.id, category, found.path))
            else:
                loose = found.id
        if loose is not None:
            raise DataError(
                f"{root}: wanted a folder for each class, found the image {loose} beside them; "
                "put it into its class's folder, or list your images with vb.CsvManifest"
            )
        folders = _class_folders(root)
        if not folders:
            raise DataError(f"{root}: wanted a folder for each class, found none; check the path")
        empty = sorted(set(folders) - {sample[1] for sample in samples} - {sample.id.split("/")[0] for sample in bad})
        if empty:
            raise DataError(
                f"{root}: {len(empty)} of {len(folders)} class folders hold no image: {', '.join(empty[:8])}"
                f"{' ...' if len(empty) > 8 else ''}; fill or remove them"
            )
        name = name or root.resolve().name
        classes, label_map = settle_classes(name, folders, classes, label_map)
        labels = {category: label for label, category in enumerate(classes)}
        self._assemble(
            name=name,
            root=root,
            samples=[Sample(id_, path, labels[category]) for id_, category, path in samples],
            classes=classes,
            bad=bad,
            label_map=label_map,
            precropped=precropped,
        )


def _class_folders(root: Path) -> list[str]:
    names = [path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [name.encode("utf-8", "backslashreplace").decode() for name in names]
