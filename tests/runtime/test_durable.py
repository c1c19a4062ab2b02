# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, also where another process clears up meanwhile."""

import os
from pathlib import Path

import pytest

from visionbias.runtime.durable import remove_leftovers, write_file


def test_file_is_written_although_another_process_clears_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process that starts in the same folder removes what it takes for leftovers of killed ones."""
    fsync, times = os.fsync, []

    def fsync_and_sweep(descriptor: int) -> None:
        fsync(descriptor)
        times.append(descriptor)
        if len(times) == 1:
            remove_leftovers(tmp_path)

    monkeypatch.setattr(os, "fsync", fsync_and_sweep)
    write_file(tmp_path / "records", b"rows")
    assert (tmp_path / "records").read_bytes() == b"rows"
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_file(tmp_path / "records", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "records", b"new")
    assert (tmp_path / "records").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_a_folder_is_no_leftover(tmp_path: Path) -> None:
    (tmp_path / ".mine.tmp").mkdir()
    (tmp_path / ".records.0.tmp").touch()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".mine.tmp"]
