# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where record files lie: each is named for its range of the run's sample list."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.records.schema import SCHEMA_VERSION

_RANGE = re.compile(r"(\d+)-(\d+)\.parquet")


class DamagedError(RunError):
    """A record file that cannot be read."""


@dataclass(frozen=True, slots=True)
class RecordFile:
    """One file of one model under one condition."""

    path: Path
    rows: range  # of the sample list


def partition(model: str, condition: str) -> str:
    """Relative folder of the records of one model under one condition."""
    return f"model={quote(model, safe='')}/condition={quote(condition, safe='')}"


def partitions(folder: Path) -> Iterator[tuple[str, str]]:
    """(model, condition) of every folder of records, sorted by folder.

    Raises:
        RunError: a folder cannot be read.
    """
    for model in _listed(folder):
        if model.name.startswith("model="):
            for condition in _listed(model):
                if condition.name.startswith("condition="):
                    yield unquote(model.name.partition("=")[2]), unquote(condition.name.partition("=")[2])


def record_files(folder: Path, model: str, condition: str) -> list[RecordFile]:
    """The files of one model under one condition, sorted by their first row.

    Raises:
        RunError: the folder cannot be read.
    """
    found = ((path, _RANGE.fullmatch(path.name)) for path in _listed(folder / partition(model, condition)))
    files = [RecordFile(path, range(int(match[1]), int(match[2]))) for path, match in found if match]
    return sorted(files, key=lambda file: (file.rows.start, file.rows.stop))


def file_name(rows: range) -> str:
    """Name of the file of a range."""
    return f"{rows.start:09d}-{rows.stop:09d}.parquet"


def overlap(files: Sequence[RecordFile]) -> bool:
    """Whether some of the files, sorted by their first row, hold the same samples."""
    return any(file.rows.stop > after.rows.start for file, after in pairwise(files))


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A record file, with its schema checked; pages are checked against their checksums as they are read.

    Raises:
        DamagedError: it cannot be read.
        RunError: it was written by a version with another schema.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            version = int((file.schema_arrow.metadata or {}).get(b"visionbias.schema", b"0"))
            if version != SCHEMA_VERSION:
                raise RunError(
                    f"{path} has record schema {version}, this version reads {SCHEMA_VERSION}; "
                    "open the run with the visionbias that wrote it (its version is in run.json)"
                )
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: text in the footer that is no UTF-8
        raise DamagedError(
            f"cannot read {path}: {error}; delete the file and start the same run again: it makes what is missing"
        ) from error


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror or error}; mend its permissions") from error
