# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of the work is done: a bar with rate and time left on a terminal, and a share in words."""

from math import floor
from shutil import get_terminal_size
from typing import Any

from tqdm import tqdm

_COLUMNS = 80  # of a terminal that does not tell its size


class _Bar(tqdm):  # type: ignore[type-arg]
    """Looks at the clock at each step, and needs no thread for that, which would outlive it as long as the process."""

    monitor_interval = 0


def percent(done: int, total: int) -> str:
    """Such as "99.9 %": rounded down, so that 100 % is all."""
    return f"{floor(1000 * done / max(total, 1)) / 10} %"


def progress_bar(total: int, progress: bool | None, description: str, unit: str = "img") -> "tqdm[Any]":
    """A bar over `total` steps. `progress=None` shows it on a terminal only."""
    return _Bar(
        total=total,
        desc=description,
        unit=unit,
        unit_scale=total >= 100_000,
        ncols=None if get_terminal_size((0, 0)).columns else _COLUMNS,
        dynamic_ncols=bool(get_terminal_size((0, 0)).columns),
        smoothing=0.05,
        miniters=1,
        disable=None if progress is None else not progress,
    )
