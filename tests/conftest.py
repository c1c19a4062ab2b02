# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms share."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """With `-m gpu`, skip a file or folder that imports what is not installed, and say what."""
    report = yield
    if collector.config.option.markexpr != "gpu" or not report.failed or report.call.excinfo is None:
        return report
    cause = report.call.excinfo.value.__cause__
    if isinstance(cause, ModuleNotFoundError):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 1, f"Skipped: {cause}")
    return report


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
