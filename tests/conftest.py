# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of golden values and real images that lies beside the project, or a skip with its reason."""
    folder = Path(os.environ.get("VISIONBIAS_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no golden values: {folder} has no folder golden; set VISIONBIAS_SHARED")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache, and one test run's cache out of the next."""
    os.environ["VISIONBIAS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
