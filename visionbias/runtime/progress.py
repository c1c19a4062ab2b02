# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The progress bar: rate and time left on a terminal, silence elsewhere."""

from typing import Any

from tqdm import tqdm


def progress_bar(total: int, progress: bool | None, description: str, unit: str = "img") -> "tqdm[Any]":
    """A bar over `total` steps. `progress=None` shows it on a terminal only."""
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        unit_scale=total >= 100_000,
        dynamic_ncols=True,
        smoothing=0.05,
        disable=None if progress is None else not progress,
    )
