# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run keeps of the images themselves, so that its records can be scored where the images are not."""

from collections.abc import Mapping, Sequence
from errno import ENOENT
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.records.parquet import write_parquet

SAMPLES = "samples"

# One row a sample that is shown, sorted by id; the data set is in the file's name.
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("category", pa.string(), nullable=False),  # name of the label's class
    pa.field("texture", pa.string()),  # class of the texture, in sets of conflicting cues
    pa.field("group", pa.string()),  # what it belongs to besides its class, in sets with groups
    pa.field("category16", pa.int8()),  # index into the 16 categories of the label's class, where it belongs to one
]
SAMPLE_SCHEMA = pa.schema(_FIELDS)


def _path(folder: Path, data: str) -> Path:
    return folder / SAMPLES / f"{quote(data, safe='')}.parquet"


def write_samples(
    folder: Path,  # of the run
    data: str,
    columns: Mapping[str, Any],  # name -> [N]
) -> None:
    """Write the table of one data set, unless it is there.

    Raises:
        RunError: the file cannot be written.
    """
    target = _path(folder, data)
    if target.exists():
        return
    write_parquet(target, pa.table([columns[name] for name in SAMPLE_SCHEMA.names], schema=SAMPLE_SCHEMA))


class SampleTable:
    """The images of one data set, as rows of `SAMPLE_SCHEMA`."""

    def __init__(
        self,
        folder: Path,  # of the run
        data: str,
        classes: Sequence[str],
        only: "pa.Array[Any] | None" = None,  # sample ids; the table holds no others
    ) -> None:
        self._path = _path(folder, data)
        self._only = only
        self.classes = tuple(classes)  # of the data; records hold indices into them

    @cached_property
    def table(self) -> pa.Table:
        """The rows.

        Raises:
            RunError: the file cannot be read.
        """
        try:
            table = pq.read_table(self._path, schema=SAMPLE_SCHEMA, partitioning=None, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            refused = isinstance(error, OSError) and error.errno not in (None, ENOENT)
            fix = "mend what the system refuses" if refused else "delete the file"
            raise RunError(
                f"cannot read {self._path}: {error}; {fix} and start the same run again: what is missing is made anew"
            ) from error
        return table if self._only is None else table.filter(pc.is_in(table["sample_id"], value_set=self._only))

    def column(self, name: str) -> np.ndarray:  # [N]
        """One column; a null is None, of numbers NaN."""
        return self.table[name].to_numpy()
