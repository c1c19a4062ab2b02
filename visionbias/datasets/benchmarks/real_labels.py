# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""ReaL: for each image of ImageNet's validation set, the classes that people see in it.

Source: Beyer et al., "Are we done with ImageNet?", 2020; `real.json` of google-research/reassessed-imagenet.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from visionbias.errors import DataError

IMAGES, SCORED = 50_000, 46_837  # official; the others have no label
_FILE = re.compile(r"ILSVRC2012_val_(\d{8})")


def read_real_labels(path: Path) -> list[tuple[int, ...]]:  # [50,000]
    """Class indices of each image in order of file number, which starts at 1; none of an image that is not scored.

    Raises:
        DataError: the file cannot be read, or is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}; wanted ReaL's real.json") from error
    if not isinstance(content, list) or len(content) != IMAGES or not all(map(_is_label_set, content)):
        got = f"a list of {len(content):,}" if isinstance(content, list) else type(content).__name__
        raise DataError(
            f"{path}: wanted ReaL's real.json, a list of {IMAGES:,} lists of class indices 0 ... 999, got {got}"
        )
    return [tuple(labels) for labels in content]


def accepted_classes(path: Path, ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The class indices that count as correct, by sample id; none of an image that is not scored.

    Raises:
        DataError: see `read_real_labels`, or an image's name has no file number.
    """
    labels = read_real_labels(path)
    return {id_: labels[_file_number(id_) - 1] for id_ in ids}


def _file_number(id_: str) -> int:
    match = _FILE.fullmatch(id_.split("/")[-1].rsplit(".", 1)[0])
    if match is None or not 1 <= int(match[1]) <= IMAGES:
        raise DataError(
            f"ReaL: wanted names such as ILSVRC2012_val_00000001.JPEG, up to {IMAGES:,}, got {id_}; "
            "labels are found by that number, so keep the names as published"
        )
    return int(match[1])


def _is_label_set(labels: object) -> bool:
    return isinstance(labels, list) and all(type(label) is int and 0 <= label < 1000 for label in labels)
