# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image files below a folder, listed so that no name, link or loop can stop the listing."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from visionbias.errors import DataError

# What torchvision lists, and GIF, which people have.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif"})

_LONGEST_NUMBER = 1000  # digits; Python converts no more than some thousands


@dataclass(frozen=True)
class Found:
    """A file that is named like an image, or a link that leads nowhere."""

    id: str  # path below the root, POSIX separators; characters that are no UTF-8 are escaped
    path: Path
    fault: str | None  # why it cannot be used, if that shows already


def absolute_path(argument: str, value: object) -> Path:
    """The value as a path, the same one when the process changes its working folder later.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise DataError(f"{argument} must be a path, got {value!r:.80}")
    return Path(value).absolute()


def find_images(root: Path) -> Iterator[Found]:
    """Every image file below `root`, through links to folders, each folder once.

    Hidden files and folders are passed over. An unreadable folder, a link that leads nowhere and a name that is no
    UTF-8 are found with their fault.

    Raises:
        DataError: `root` is no folder.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "not there"
        raise DataError(f"wanted a folder of images, but {root} is {what}; check the path")
    yield from _walk(root, root, frozenset())


def _walk(root: Path, folder: Path, above: frozenset[str]) -> Iterator[Found]:
    real = os.path.realpath(folder)
    if real in above:  # a link back to a folder that we are in
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Found(_id(root, folder), folder, f"folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _walk(root, path, above | {real})
        elif path.suffix.lower() in IMAGE_SUFFIXES or (entry.is_symlink() and not path.exists()):
            yield Found(_id(root, path), path, _fault(path))


def sorted_names(names: Iterable[str]) -> list[str]:
    """Class names in order: as numbers if all are whole numbers (ImageNet-V2's folders), else as text."""
    # In order of text first: "1" and "01" are the same number, and the order of a set changes from process to process.
    distinct = sorted(set(names))
    whole = all(name.isascii() and name.isdecimal() and len(name) <= _LONGEST_NUMBER for name in distinct)
    return sorted(distinct, key=int) if whole else distinct


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _fault(path: Path) -> str | None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "its name is no UTF-8; rename it"
    try:
        path.stat()
    except OSError as error:
        return f"link leads nowhere: {error.strerror}" if path.is_symlink() else f"cannot be read: {error.strerror}"
    return None


def _id(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()
