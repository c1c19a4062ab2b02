# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A few stimuli of every condition, as small JPEGs, so that a run can be looked at where its images are not."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from visionbias.errors import RunError
from visionbias.records.parquet import read_parquet, write_parquet

GALLERY = "gallery"
_QUALITY = 90
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("condition", pa.string(), nullable=False),
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("jpeg", pa.binary(), nullable=False),
    pa.field("model", pa.string()),
]
GALLERY_SCHEMA = pa.schema(_FIELDS)


class Picture(NamedTuple):
    """One image under one condition, as it was shown."""

    condition: str
    sample_id: str
    jpeg: bytes
    model: str | None = None  # that an attack was made on


def thumbnail(pixels: NDArray[np.uint8], side: int) -> bytes:  # [H, W, 3]
    """A JPEG of at most `side` x `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def gallery_file(folder: Path, data: str) -> Path:
    """Where a run folder keeps the pictures of one data set."""
    return folder / GALLERY / f"{quote(data, safe='')}.parquet"


def write_gallery(folder: Path, data: str, pictures: Sequence[Picture]) -> None:
    """Write the pictures of one data set.

    Raises:
        RunError: the file cannot be written.
    """
    table = pa.Table.from_pylist([picture._asdict() for picture in pictures], schema=GALLERY_SCHEMA)
    write_parquet(gallery_file(folder, data), table)


def read_gallery(folder: Path, data: str) -> list[Picture]:
    """The pictures of one data set; none where the run has kept none.

    Raises:
        RunError: the file cannot be read.
    """
    path = gallery_file(folder, data)
    try:
        if not path.exists():
            return []
        table = read_parquet(path, GALLERY_SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"cannot read {path}: {error}; delete it, the run does not need it") from error
    return [Picture(**row) for row in table.to_pylist()]
