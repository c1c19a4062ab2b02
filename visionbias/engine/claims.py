# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which part of a run is in whose hands: two processes never make the same records."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from filelock import FileLock, Timeout

from visionbias.engine.run_folder import locked, writing
from visionbias.errors import RunError

_FOLDER = ".claims"
_NAME = re.compile(r"(\d+)-(\d+)\.lock")
Shard = tuple[int, int]  # i, n


@contextmanager
def claimed(folder: Path, shard: Shard) -> Iterator[None]:
    """Hold the i-th of n parts of a run; a killed process lets go.

    Raises:
        RunError: another process holds a part that overlaps, or the folder cannot be written.
    """
    with locked(folder), writing(folder):
        (folder / _FOLDER).mkdir(exist_ok=True)
        for path in (folder / _FOLDER).iterdir():
            match = _NAME.fullmatch(path.name)
            other = (int(match[1]), int(match[2])) if match else None
            if other is not None and other[0] < other[1] and other != shard and _overlap(other, shard):
                _acquire(path, folder, other).release()
        own = _acquire(folder / _FOLDER / f"{shard[0]}-{shard[1]}.lock", folder, shard)
    try:
        yield
    finally:
        own.release()


def _acquire(path: Path, folder: Path, shard: Shard) -> FileLock:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        part = "this run" if shard == (0, 1) else f"shard {shard[0]}/{shard[1]} of this run"
        raise RunError(
            f"{folder}: another process is making {part}; wait for it, or start each process with a shard of its own"
        ) from None
    return lock


def _overlap(a: Shard, b: Shard) -> bool:
    return max(Fraction(*a), Fraction(*b)) < min(Fraction(a[0] + 1, a[1]), Fraction(b[0] + 1, b[1]))
