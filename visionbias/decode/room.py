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
    cache_bytes: CacheBytes,  # the most that its finished entries may hold; "auto": what the disk has room for
    coming: int = 0,  # bytes that will be written before
) -> int:
    """Bytes of crops that may still be written.

    Raises:
        OSError: the disk does not tell how much of it is free.
    """
    if cache_bytes == "auto":
        there = next((place for place in (folder, *folder.parents) if os.path.exists(place)), folder)  # noqa: PTH110
        return max(0, int(_DISK_SHARE * (shutil.disk_usage(there).free - coming)))
    held = 0
    for path in folder.glob(f"[!.]*/{PIXELS}"):  # those under construction have a dot
        with contextlib.suppress(OSError):  # an entry may be removed at any time
            held += path.stat().st_size
    return max(0, cache_bytes - held - coming)
