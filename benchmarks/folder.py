# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a benchmark keeps what it makes."""

import atexit
import shutil
import tempfile
from pathlib import Path


def temporary_folder(name: str) -> Path:
    """A new folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"visionbias-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
