# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms share."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


class WhatAGpuMachineHas:
    """With `-m gpu`, skips files and folders that import what is not installed, and says what."""

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        error = report.call.excinfo and report.call.excinfo.value.__cause__
        if isinstance(error, ModuleNotFoundError):
            report.outcome, report.longrepr = "skipped", (report.nodeid, 1, f"Skipped: {error}")
        return report


def pytest_configure(config: pytest.Config) -> None:
    if config.option.markexpr == "gpu":  # a plugin of its own: folders are collected before their conftest.py counts
        config.pluginmanager.register(WhatAGpuMachineHas())


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
