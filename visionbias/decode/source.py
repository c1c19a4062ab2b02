# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads image files ahead of their decoder, and hashes each while it is in memory."""

import hashlib
import stat
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from visionbias.types import Sample

_FILE_LIMIT = 2**30  # bytes; more than any image within the pixel limit needs
_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Content:
    """What reading one file gave: its bytes and their sha256, or the reason why there are none."""

    data: bytes
    digest: bytes  # 32 zero bytes if the file could not be read
    unread: str | None = None


def read_file(path: Path) -> Content:
    """Read a regular file. Failing to is a result, not an exception. A pipe or device is not opened: it could block."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _unread("not a regular file")
        if status.st_size > _FILE_LIMIT:
            return _unread(f"{status.st_size} bytes, limit {_FILE_LIMIT} bytes")
        data = path.read_bytes()
    except OSError as error:
        return _unread(f"cannot be read: {error.strerror or type(error).__name__}")
    except ValueError as error:  # a path that the system cannot take, such as one with a null byte
        return _unread(f"cannot be read: {error}")
    return Content(data, hashlib.sha256(data).digest())


def read_batches(samples: Sequence[Sample], batch_size: int, num_threads: int) -> Generator[list[Content], None, None]:
    """The samples' files in order, `batch_size` at a time. While the caller works on one batch, the next are read."""
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="visionbias-read")
    ahead: deque[list[Future[Content]]] = deque()
    try:
        for start in range(0, len(samples), batch_size):
            ahead.append([pool.submit(read_file, sample.path) for sample in samples[start : start + batch_size]])
            if len(ahead) > _BATCHES_AHEAD:
                yield [future.result() for future in ahead.popleft()]
        while ahead:
            yield [future.result() for future in ahead.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _unread(reason: str) -> Content:
    return Content(b"", bytes(32), reason)
