# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Parquet files that appear whole or not at all."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.runtime.durable import sync_folder, write_file


def native_file(path: Path) -> pa.OSFile:
    """A file for Arrow to read, opened by Arrow: its threads may let go of one when the interpreter ends, and to let go
    of Python's then aborts the process. Of the name every byte counts, whether text or not.

    Raises:
        OSError: the system refuses; the error of a folder has no number.
    """
    return pa.OSFile(os.fsencode(path), "rb")  # type: ignore[arg-type]


def read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table, its pages checked against their checksums.

    Raises:
        OSError, pyarrow.ArrowException: the file is absent, cannot be read, or is damaged.
    """
    with native_file(path) as file:
        return pq.read_table(file, schema=schema, page_checksum_verification=True)


def write_parquet(target: Path, table: pa.Table) -> None:
    """Write a table, with checksums of its pages.

    Raises:
        RunError: the file cannot be written; what was written before is unharmed.
    """
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", write_statistics=False, write_page_checksum=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, memoryview(buffer.getvalue()))
        sync_folder(target.parent)
    except OSError as error:
        raise RunError(
            f"could not write {target}: {error.strerror or error}; free space or mend the permissions, "
            "then start the same run again: all that was saved before is kept"
        ) from error
