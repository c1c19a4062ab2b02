# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The progress bar: images/s and time left on a terminal, silence elsewhere."""

from typing import Any

from tqdm import tqdm


def progress_bar(total: int, progress: bool | None, description: str) -> "tqdm[Any]":
    """A bar counting forwarded images. `progress=None` shows it on a terminal only."""
    return tqdm(
        total=total,
        desc=description,
        unit="img",
        unit_scale=True,
        dynamic_ncols=True,
        smoothing=0.05,
        disable=None if progress is None else not progress,
    )
