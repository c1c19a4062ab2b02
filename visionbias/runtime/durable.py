# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are either whole or absent, whatever kills the process while they are written."""

import os
import uuid
from pathlib import Path


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write `content` under a temporary name, flush it to disk, and rename it to `path`.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind and an older `path` is unharmed.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
    """Delete temporary files of killed writers below `folder`. No other process may be writing there."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)
