# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A CSV file that lists images and their labels."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.label_map import LabelMapLike, settle_classes
from visionbias.datasets.listing import absolute_path
from visionbias.errors import DataError
from visionbias.types import Sample


class CsvManifest(Dataset):
    """Images listed in a CSV with a header and the columns `path,label[,group]`; others are ignored.

    Classes are the distinct labels, and those that the label map names: in order of number if all are whole numbers,
    else of text. Sample ids are the paths below `root`. A group is what an image belongs to besides its class, such as
    a camera; empty is none. `Accuracy` is given for each group too.

    Args:
        path: the CSV file, UTF-8.
        root: where relative paths start; default the CSV's folder.
        label_map, classes, name, precropped: as `ImageFolder`.

    Raises:
        DataError: the file cannot be read, a column is missing, a row has too few or too many fields, or a path stands
            twice or lies outside `root`; or classes or label map do not fit the labels.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        root: str | Path | None = None,
        label_map: LabelMapLike = None,
        classes: Sequence[str] | None = None,
        name: str | None = None,
        precropped: bool = False,
    ) -> None:
        path = absolute_path("CsvManifest: path", path)
        root = path.parent if root is None else absolute_path("CsvManifest: root", root)
        rows = [(_below(root, image, path), label, group) for image, label, group in _read(path)]
        name = name or path.stem
        classes, label_map = settle_classes(name, (label for _, label, _ in rows), classes, label_map)
        labels = {label: index for index, label in enumerate(classes)}
        self._assemble(
            name=name,
            root=root,
            samples=[Sample(id_, root / id_, labels[label]) for id_, label, _ in rows],
            classes=classes,
            bad=[],
            label_map=label_map,
            precropped=precropped,
            groups={id_: group for id_, _, group in rows if group},
        )


def _below(root: Path, image: str, manifest: Path) -> str:
    """The path below `root`, POSIX separators."""
    relative = os.path.relpath(root / image, root)
    if Path(relative).parts[:1] == (os.pardir,):
        raise DataError(f"{manifest}: {image} lies outside {root}; name the folder that holds all images with root=")
    return Path(relative).as_posix()


def _read(path: Path) -> list[tuple[str, str, str]]:
    """(path, label, group) of each row; no group is empty text."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {"path", "label"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: wanted the columns path,label in its first line, "
                    f"got {','.join(reader.fieldnames or ())!r}; add {' and '.join(sorted(missing))}"
                )
            for row in reader:
                if None in row:
                    raise DataError(
                        f"{path}, line {reader.line_num}: more fields than the first line names; "
                        "put a path that holds a comma in double quotes"
                    )
                image, label = (row["path"] or "").strip(), (row["label"] or "").strip()
                if not image or not label:
                    raise DataError(
                        f"{path}, line {reader.line_num}: wanted a path and a label, got {image!r}, {label!r}"
                    )
                rows.append((image, label, (row.get("group") or "").strip()))
    except DataError:
        raise
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no UTF-8, or a path with a null byte
        raise DataError(f"cannot read the manifest {path}: {error}; wanted a CSV file in UTF-8") from error
    if not rows:
        raise DataError(f"{path} lists no images")
    return rows
