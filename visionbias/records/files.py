# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where record files lie: each is named for its range of the run's sample list."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.records.parquet import native_file
from visionbias.records.schema import SCHEMA_VERSION

RECORDS = "records"  # folder of a run that holds them

_RANGE = re.compile(r"(\d+)-(\d+)\.parquet")
_TRIES = 20
T = TypeVar("T")


class DamagedError(RunError):
    """A record file whose content is not what was written."""


class VanishedError(RunError):
    """A record file that is gone since its folder was listed: its rows are in a longer file by now."""


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
        DamagedError: it is cut short, altered, or no Parquet file.
        VanishedError: it is not there.
        RunError: the system refuses to read it, memory runs out, or a version with another schema wrote it.
    """
    try:
        # Python's tells by number what the system refuses, folders included.
        with (
            path.open("rb"),
            native_file(path) as raw,
            pq.ParquetFile(raw, page_checksum_verification=True) as file,
        ):
            version = int((file.schema_arrow.metadata or {}).get(b"visionbias.schema", b"0"))
            if version != SCHEMA_VERSION:
                raise RunError(
                    f"{path} has record schema {version}, this version reads {SCHEMA_VERSION}; "
                    "open the run with the visionbias that wrote it (its version is in run.json)"
                )
            yield file
    except FileNotFoundError as error:
        raise VanishedError(f"{path} is gone since its folder was listed; read the run again") from error
    except MemoryError as error:
        raise RunError(f"no memory to read {path}: {error}; free some and start again") from error
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: text in the footer that is no UTF-8
        # What the system refuses has a number; Arrow's own errors, such as a wrong checksum, have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise RunError(
                f"cannot read {path}: {error.strerror or error}; the records in it may be whole: "
                "mend what the system refuses, then start again"
            ) from error
        raise DamagedError(
            f"cannot read {path}: {error}; delete the file and start the same run again: it makes what is missing"
        ) from error


def read_files(folder: Path, model: str, condition: str, read: Callable[[RecordFile], T]) -> list[T]:
    """What `read` returns for each file of one model under one condition, in order.

    Where files became one while they were read, by a run that goes on meanwhile, all are read again.

    Raises:
        RunError: the folder cannot be read; and what `read` raises.
    """
    for _ in range(_TRIES - 1):
        try:
            return [read(file) for file in record_files(folder, model, condition)]
        except VanishedError:
            continue
    return [read(file) for file in record_files(folder, model, condition)]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror or error}; mend its permissions") from error
