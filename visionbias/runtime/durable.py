# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are either whole or absent, whatever kills the process while they are written."""

import os
import uuid
from pathlib import Path

_TRIES = 5


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write `content` under a temporary name, flush it to disk, and rename it to `path`.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind and an older `path` is unharmed.
    """
    for tries_left in reversed(range(_TRIES)):
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        try:
            temporary.replace(path)
        except FileNotFoundError:  # another process has started here and taken it for a leftover
            if not tries_left:
                raise
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        else:
            return


def sync_folder(folder: Path) -> None:
    """Make the renames inside `folder` durable. Platforms that cannot open a folder have nothing to do here."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed writers below `folder`. A writer that lives makes its file again."""
    for path in folder.rglob(".*.tmp"):
        if not path.is_dir():  # no writer makes folders
            path.unlink(missing_ok=True)
