# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where visionbias keeps what can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$VISIONBIAS_CACHE`, or `~/.cache/visionbias`; it need not exist."""
    return Path(os.environ.get("VISIONBIAS_CACHE") or Path.home() / ".cache" / "visionbias")
