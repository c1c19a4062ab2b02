# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where visionbias keeps what can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$VISIONBIAS_CACHE`, else `visionbias` in `$XDG_CACHE_HOME` or `~/.cache`; it need not exist."""
    own, shared = os.environ.get("VISIONBIAS_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    return (Path(shared) if shared and Path(shared).is_absolute() else Path.home() / ".cache") / "visionbias"
