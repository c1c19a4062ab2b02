# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes record files: each covers a contiguous range of the run's sample list and appears whole or not at all."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visionbias.records.parquet import write_parquet
from visionbias.records.schema import RECORD_SCHEMA, partition

_RANGE = re.compile(r"(\d+)-(\d+)\.parquet")


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
    write_parquet(folder / partition(model, condition) / f"{start:09d}-{start + n:09d}.parquet", table)


def covered(folder: Path, model: str, condition: str, *, set_aside: bool = False) -> list[range]:
    """Ranges of the sample list whose records exist and can be read, sorted. An unreadable file does not count.

    With `set_aside` it is also given another name, so that what replaces it need not have its range.
    """
    ranges = []
    for path in (folder / partition(model, condition)).glob("*.parquet"):
        match = _RANGE.fullmatch(path.name)
        if match is None:
            continue
        rows = range(int(match[1]), int(match[2]))
        try:
            readable = pq.read_metadata(path).num_rows == len(rows)
        except (pa.ArrowException, OSError):
            readable = False
        if readable:
            ranges.append(rows)
        elif set_aside:
            path.replace(path.with_name(f"{path.name}.damaged"))
    return sorted(ranges, key=lambda rows: rows.start)
