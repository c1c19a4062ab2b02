# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run folder while it is written to: begun or joined, locked, and noted in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from visionbias.engine.run import Run, open_run
from visionbias.errors import RunError
from visionbias.records.manifest import differences, read_manifest, write_manifest
from visionbias.records.schema import SCHEMA_VERSION

_LOCK = ".run.lock"
_LISTED = 20  # differences that are named


def join_run(folder: Path, identity: dict[str, Any], data_sets: Mapping[str, Any], precision: Mapping[str, Any]) -> Run:
    """Start a run in an empty folder, or go on with the same one. The folder must be `locked`.

    `precision` tells of each model, by id, how its copies compared with it when the run was begun.

    Raises:
        RunError: the folder holds another study, or something else, or cannot be written.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "study": identity,
            "data_sets": dict(data_sets),
            "precision": dict(precision),
            "sessions": [],
        }
        write_manifest(folder, manifest)
    require_same(folder, identity, manifest["study"])
    return Run(folder, manifest)


def require_same(folder: Path, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Demand that a run folder is of this study.

    Raises:
        RunError: it is not; says in what they differ.
    """
    differing = differences(wanted, found)
    if differing:
        more = [f"{len(differing) - _LISTED} more"] if len(differing) > _LISTED else []
        listed = "\n".join(f"  {line}" for line in (*differing[:_LISTED], *more))
        raise RunError(f"{folder} holds the run of another study; name a new folder. They differ in\n{listed}")


def note_session(folder: Path, session: dict[str, Any]) -> Run:
    """Append what one process did to the manifest."""
    with locked(folder):
        run = open_run(folder)
        run.manifest["sessions"].append(session)
        write_manifest(folder, run.manifest)
    return run


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Processes that share a run folder change its manifest one at a time; a killed one lets go.

    Raises:
        RunError: the folder cannot be written.
    """
    lock = FileLock(folder / _LOCK)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into one clear error.

    Raises:
        RunError: the run folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write the run folder {folder}: {error.strerror or error}; mend its permissions or name another"
        ) from error
