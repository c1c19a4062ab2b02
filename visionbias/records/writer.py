# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes record files: each covers a contiguous range of the run's sample list and appears whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from visionbias.records.files import DamagedError, RecordFile, file_name, opened, partition, record_files
from visionbias.records.parquet import write_parquet
from visionbias.records.schema import RECORD_SCHEMA


def write_records(
    folder: Path,
    model: str,
    condition: str,
    start: int,
    columns: Mapping[str, Any],  # name -> [N] array; decision16 may be absent
) -> None:
    """Write the rows of samples `start` ... `start + N - 1` of the run's sample list.

    Raises:
        RunError: the file cannot be written; what was written before is unharmed.
    """
    n = len(columns["sample_id"])
    full = {"decision16": pa.nulls(n, pa.int8()), **columns}
    table = pa.table([full[name] for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA)
    write_parquet(folder / partition(model, condition) / file_name(range(start, start + n)), table)


def covered(folder: Path, model: str, condition: str, *, set_aside: bool = False) -> list[range]:
    """Ranges of the sample list whose records exist and can be read, sorted. An unreadable file does not count.

    With `set_aside` every page is read, so that no damage escapes, and a damaged file is given another name, so that
    what replaces it need not have its range. Without, only the ends of files are looked at.

    Raises:
        RunError: a folder cannot be read, or a file was written by a version with another schema.
    """
    ranges = []
    for file in record_files(folder, model, condition):
        if _whole(file, every_page=set_aside):
            ranges.append(file.rows)
        elif set_aside:
            file.path.replace(file.path.with_name(f"{file.path.name}.damaged"))
    return ranges


def _whole(record: RecordFile, *, every_page: bool) -> bool:
    try:
        with opened(record.path) as file:
            if every_page:
                for _ in file.iter_batches():
                    pass
            return bool(file.metadata.num_rows == len(record.rows))
    except DamagedError:
        return False
