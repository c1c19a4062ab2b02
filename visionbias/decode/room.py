# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How many bytes of crops a cache may still take."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CacheBytes = int | Literal["auto"]

PIXELS = "crops.u8"  # of an entry, in its folder

# Of the free disk. The rest is left to records and to other programs; as a share, for a disk of any size has some.
_DISK_SHARE = 0.95


@dataclass(frozen=True)
class Shortage:
    """Crops that were not written for lack of room, and are decoded anew whenever they are read."""

    wanted_bytes: int
    allowed_bytes: int


def room_left(
    folder: Path,  # of the cache; it need not exist
    cache_bytes: CacheBytes,  # the most that its finished entries may hold; "auto": any number
    coming: int,  # bytes that will be written before
    replaced: Path,  # an entry that does not count, for it would be written again
) -> int:
    """Bytes of crops that may still be written: never more than the disk has room for.

    Raises:
        OSError: the disk does not tell how much of it is free.
    """
    there = next((place for place in (folder, *folder.parents) if os.path.exists(place)), folder)  # noqa: PTH110
    room = int(_DISK_SHARE * (shutil.disk_usage(there).free - coming))
    if cache_bytes != "auto":
        room = min(room, cache_bytes - _held(folder, replaced) - coming)
    return max(0, room)


def _held(folder: Path, replaced: Path) -> int:
    """What the finished entries hold but one."""
    held = 0
    for path in folder.glob(f"[!.]*/{PIXELS}"):  # those under construction have a dot
        if path.parent != replaced:
            with contextlib.suppress(OSError):  # an entry may be removed at any time
                held += path.stat().st_size
    return held
