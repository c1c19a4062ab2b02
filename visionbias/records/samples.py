# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run keeps of the images themselves, so that its records can be scored where the images are not."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visionbias.errors import RunError
from visionbias.records.parquet import read_parquet, write_parquet

SAMPLES = "samples"

# One row a sample that is shown, sorted by id; the data set is in the file's name.
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("category", pa.string(), nullable=False),  # name of the label's class
    pa.field("texture", pa.string()),  # class of the texture, in sets of conflicting cues
    pa.field("group", pa.string()),  # what it belongs to besides its class, in sets with groups
    pa.field("category16", pa.int8()),  # index into the 16 categories of the label's class, where it belongs to one
    pa.field("accepted", pa.list_(pa.int32())),  # classes that a second labeling, if any, takes as correct
]
SAMPLE_SCHEMA = pa.schema(_FIELDS)


def _path(folder: Path, data: str) -> Path:
    return folder / SAMPLES / f"{quote(data, safe='')}.parquet"


def write_samples(
    folder: Path,  # of the run
    data: str,
    columns: Mapping[str, Any],  # name -> [N]; `accepted` may be absent
) -> None:
    """Write the table of one data set, unless it is there.

    Raises:
        RunError: the file cannot be written.
    """
    target = _path(folder, data)
    if target.exists():
        return
    full = {"accepted": pa.nulls(len(columns["sample_id"]), SAMPLE_SCHEMA.field("accepted").type), **columns}
    write_parquet(target, pa.table([full[name] for name in SAMPLE_SCHEMA.names], schema=SAMPLE_SCHEMA))


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
        self._rows: dict[tuple[str, ...], np.ndarray] = {}

    @cached_property
    def table(self) -> pa.Table:
        """The rows.

        Raises:
            RunError: the file cannot be read.
        """
        try:
            table = read_parquet(self._path, SAMPLE_SCHEMA)
        except FileNotFoundError as error:
            raise RunError(
                f"{self._path} is missing; start the same run again: what is missing is made anew"
            ) from error
        except (pa.ArrowException, OSError) as error:
            refused = isinstance(error, OSError) and error.errno is not None
            fix = "mend what the system refuses" if refused else "delete the file"
            raise RunError(
                f"cannot read {self._path}: {error}; {fix} and start the same run again: what is missing is made anew"
            ) from error
        return table if self._only is None else table.filter(pc.is_in(table["sample_id"], value_set=self._only))

    def column(self, name: str) -> np.ndarray:  # [N]
        """One column; a null is None, of numbers NaN."""
        return self.table[name].to_numpy()

    def accepted(self) -> tuple[np.ndarray, np.ndarray]:  # [N] and, of all N together, the classes
        """How many classes the second labeling takes as correct for each image, and which."""
        column = self.table["accepted"].combine_chunks()
        return pc.list_value_length(column).fill_null(0).to_numpy(), pc.list_flatten(column).to_numpy()

    def rows_by_group(self, groups: Sequence[str]) -> np.ndarray:  # [I, G] of int
        """In sets whose ids are `<group>/<image>`: the rows of each image that is there in every one of the groups."""
        key = tuple(groups)
        if key not in self._rows:
            codes = pc.index_in(self.table["group"], value_set=pa.array(key, pa.string())).fill_null(-1).to_numpy()
            ids = self.table["sample_id"].combine_chunks()
            rows, names = [], []
            for code, group in enumerate(key):
                rows.append(np.flatnonzero(codes == code))
                names.append(pc.utf8_slice_codeunits(ids.take(pa.array(rows[-1], pa.int64())), len(group) + 1))
            common = names[0]
            for name in names[1:]:
                if not name.equals(common):
                    common = common.filter(pc.is_in(common, value_set=name))
            # Ids are sorted, so what follows a common prefix is in the same order in every group.
            kept = [
                row[pc.is_in(name, value_set=common).to_numpy(False)] for row, name in zip(rows, names, strict=True)
            ]
            self._rows[key] = np.stack(kept, axis=1)
        return self._rows[key]
