# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes record files: each covers a contiguous range of the run's sample list and appears whole or not at all."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa

from visionbias.errors import RunError
from visionbias.records.files import (
    DamagedError,
    RecordFile,
    VanishedError,
    file_name,
    opened,
    partition,
    read_files,
    record_files,
)
from visionbias.records.parquet import write_parquet
from visionbias.records.schema import RECORD_SCHEMA


def write_records(
    folder: Path,
    model: str,
    condition: str,
    start: int,
    columns: Mapping[str, Any],  # name -> [N] array; decision16 may be absent
    *,
    absorb_from: int | None = None,  # of the sample list
) -> None:
    """Write the rows of samples `start` ... `start + N - 1` of the run's sample list.

    With `absorb_from`, files of rows from there on that end where these rows begin become part of the new file, each
    while it is no longer than what follows it. So n saves in a row leave about log2(n) files, and write a row about
    log2(n) times.

    Raises:
        RunError: the file cannot be written; what was written before is unharmed.
    """
    n = len(columns["sample_id"])
    full = {"decision16": pa.nulls(n, pa.int8()), **columns}
    rows, table = range(start, start + n), pa.table([full[name] for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA)
    absorbed: list[Path] = []
    if absorb_from is not None:
        for file in reversed(record_files(folder, model, condition)):
            if file.rows.start >= absorb_from and file.rows.stop == rows.start and len(file.rows) <= len(rows):
                before = _whole(file)
                if before is not None:
                    rows, table = range(file.rows.start, rows.stop), pa.concat_tables([before, table])
                    absorbed.append(file.path)
    write_parquet(folder / partition(model, condition) / file_name(rows), table)
    for path in absorbed:  # a kill before this leaves rows twice, which readers count once
        _move(path, None)


def covered(folder: Path, model: str, condition: str) -> list[range]:
    """Ranges of the sample list whose records exist, sorted, as the ends of their files tell. Changes nothing.

    Raises:
        RunError: a folder or file cannot be read, or a version with another schema wrote a file.
    """
    return [rows for rows in read_files(folder, model, condition, _rows) if rows is not None]


def count_rows(folder: Path, models: Iterable[str], conditions: Iterable[str]) -> int:
    """Records of some models under some conditions, each once however many files hold it.

    Raises:
        RunError: see `covered`.
    """
    n = 0
    for model, condition in product(models, conditions):
        end = 0
        for rows in covered(folder, model, condition):
            n += max(0, rows.stop - max(rows.start, end))
            end = max(end, rows.stop)
    return n


def set_aside_damaged(folder: Path, model: str, condition: str) -> None:
    """Read every page, rename files that are damaged, and delete those whose rows all are in a longer file.

    What replaces a damaged file need not have its range, so the file must not keep its name.

    Raises:
        RunError: a folder or file cannot be read or renamed, or a version with another schema wrote a file.
    """
    longest: list[RecordFile] = []
    for file in sorted(record_files(folder, model, condition), key=lambda file: -len(file.rows)):
        if any(other.rows.start <= file.rows.start and file.rows.stop <= other.rows.stop for other in longest):
            _move(file.path, None)
        elif _whole(file) is None:
            _move(file.path, file.path.with_name(f"{file.path.name}.damaged"))
        else:
            longest.append(file)


def _rows(record: RecordFile) -> range | None:
    """The rows of a file whose ends are intact."""
    try:
        with opened(record.path) as file:
            return record.rows if file.metadata.num_rows == len(record.rows) else None
    except DamagedError:
        return None


def _whole(record: RecordFile) -> pa.Table | None:
    """All rows of a file; `None` if it is damaged or, because another process was faster, gone."""
    try:
        with opened(record.path) as file:
            table = file.read()
    except (DamagedError, VanishedError):
        return None
    return table if len(table) == len(record.rows) else None


def _move(path: Path, target: Path | None) -> None:
    """Rename a file, or delete it. One that is gone already is no error.

    Raises:
        RunError: the system refuses.
    """
    try:
        with suppress(FileNotFoundError):
            path.unlink() if target is None else path.replace(target)
    except OSError as error:
        raise RunError(
            f"cannot {'delete' if target is None else 'rename'} {path}: {error.strerror or error}; "
            "mend the permissions of its folder, then start the same run again"
        ) from error
