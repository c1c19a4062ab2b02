# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What no linter checks: the header of every source, and the width of those that ruff does not see."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("visionbias", "csrc", "tests", "benchmarks")
SOURCES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".h", ".cpp", ".cu", ".cuh"}
)


def test_sources_are_found() -> None:
    assert {path.suffix for path in SOURCES} >= {".py", ".h", ".cpp"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_opens_with_its_license_and_fits_its_columns(path: Path) -> None:
    lines = path.read_text().splitlines()
    comment = "#" if path.suffix == ".py" else "//"
    assert lines[:2] == [
        f"{comment} SPDX-FileCopyrightText: visionbias contributors",
        f"{comment} SPDX-License-Identifier: Apache-2.0",
    ]
    if path.suffix != ".py":
        assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == []
