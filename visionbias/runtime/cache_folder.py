# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where visionbias keeps what can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$VISIONBIAS_CACHE`, or `visionbias` in `$XDG_CACHE_HOME` or `~/.cache`; it need not exist."""
    own, shared = os.environ.get("VISIONBIAS_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else Path(shared or Path.home() / ".cache") / "visionbias"
