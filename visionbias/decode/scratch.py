# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders under construction: each belongs to one live process, and those of dead processes are removed.

A scratch folder holds one payload file that its builder keeps locked. The system drops the lock when the builder dies,
in whatever way, so a folder whose payload can be locked by another is dead. This needs no process ids, which are reused
and mean nothing to another machine on the same file system. The folder's name ends in its payload's, for a sweep must
know which file that is.
"""

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

_SUFFIX = ".building"


@contextlib.contextmanager
def scratch_folder(parent: Path, payload: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new folder in `parent` and its payload file, open for writing and locked. On exit the folder is removed,
    unless the caller has renamed it by then.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    while (begun := _begin(parent, payload)) is None:
        pass
    folder, file = begun
    try:
        with file:
            yield folder, file
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the scratch folders in `parent` whose builders are dead."""
    for folder in parent.glob(f".*.*{_SUFFIX}"):
        _, _, payload = folder.name.removesuffix(_SUFFIX).split(".", 2)
        with contextlib.suppress(OSError):
            _remove_if_dead(folder, payload)


def discard(path: Path, payload: str) -> None:
    """Remove a finished folder. It vanishes at once, under its name; a kill meanwhile leaves a dead scratch folder."""
    doomed = _new_name(path.parent, payload)
    with contextlib.suppress(FileNotFoundError):
        path.rename(doomed)
        if doomed.is_dir():
            shutil.rmtree(doomed, ignore_errors=True)
        else:
            doomed.unlink()


def _new_name(parent: Path, payload: str) -> Path:
    return parent / f".{uuid.uuid4().hex}.{payload}{_SUFFIX}"


def _begin(parent: Path, payload: str) -> tuple[Path, IO[bytes]] | None:
    """Folder and locked payload, or None if a sweep took them for dead before they were locked."""
    folder = _new_name(parent, payload)
    folder.mkdir()
    try:
        file = (folder / payload).open("xb")
    except FileNotFoundError:
        return None
    _lock(file, wait=True)
    try:
        alive = os.path.samestat(os.fstat(file.fileno()), (folder / payload).stat())
    except FileNotFoundError:
        alive = False
    if not alive:
        file.close()
    return (folder, file) if alive else None


def _remove_if_dead(folder: Path, payload: str) -> None:
    try:
        with (folder / payload).open("r+b") as file:
            if not _lock(file, wait=False):
                return
            _remove_all_but(folder, payload)
            (folder / payload).unlink()
    except FileNotFoundError:
        # Not begun yet, or half removed. rmdir decides: it fails if a builder has made its payload meanwhile.
        _remove_all_but(folder, payload)
    folder.rmdir()


def _remove_all_but(folder: Path, payload: str) -> None:
    for path in folder.iterdir():
        if path.name != payload:
            path.unlink()


def _lock(file: IO[bytes], wait: bool) -> bool:
    """Whether this process now holds the file. Where files cannot be locked none is ever held, and nothing is swept."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
