# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads record files back as aligned columns: sorted by sample id, each sample once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.records.schema import PARTITIONING, RECORD_SCHEMA, SCHEMA_VERSION, partition


def open_records(folder: Path) -> ds.Dataset:
    """All records as one dataset with the columns of `RECORD_SCHEMA` plus `model` and `condition`."""
    schema = pa.unify_schemas([RECORD_SCHEMA, PARTITIONING.schema])
    files = sorted(str(path) for path in folder.rglob("*.parquet"))
    return ds.dataset(files, schema=schema, format="parquet", partitioning=PARTITIONING, partition_base_dir=str(folder))


def read_condition(
    folder: Path,
    model: str,
    condition: str,
    columns: Sequence[str],
) -> pa.Table:
    """Rows of one model under one condition, sorted by sample id, each sample once; `sample_id` comes first.

    Raises:
        RunError: a file cannot be read, or was written by a version with another schema.
    """
    wanted = ["sample_id", *(name for name in columns if name != "sample_id")]
    parts = [_read_file(path, wanted) for path in sorted((folder / partition(model, condition)).glob("*.parquet"))]
    if not parts:
        return RECORD_SCHEMA.empty_table().select(wanted)
    table = pa.concat_tables(parts).combine_chunks()
    ids = table["sample_id"]
    if len(ids) > 1 and not pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        # Two processes covered the same rows, or shards were written out of order.
        order = pc.sort_indices(ids)
        ids = ids.take(order)
        first = np.concatenate([[True], pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)).to_numpy()])
        table = table.take(order).filter(pa.array(first))
    return table


def _read_file(path: Path, columns: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            version = int((file.schema_arrow.metadata or {}).get(b"visionbias.schema", b"0"))
            if version != SCHEMA_VERSION:
                raise RunError(
                    f"{path} has record schema {version}, this version reads {SCHEMA_VERSION}; "
                    "open the run with the visionbias that wrote it (its version is in run.json)"
                )
            return file.read(columns=columns).replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"cannot read {path}: {error}; delete the file and start the same run again: it makes what is missing"
        ) from error


class IncompleteError(RunError):
    """A condition does not have the records of all samples yet."""


class ModelRecords:
    """The records of one model, as the probes' scores read them."""

    def __init__(self, folder: Path, model: str, n: int) -> None:
        self._folder = folder
        self.model = model
        self.n = n  # samples that every condition must have

    def column(self, condition: str, name: str) -> np.ndarray:  # [N]
        """One column under one condition, in order of sample id."""
        return self._table(condition, [name])[name].to_numpy()

    def correct(self, conditions: Sequence[str]) -> np.ndarray:  # [N, F] bool
        """Whether the prediction is the label, for aligned samples."""
        columns = []
        ids = None
        for condition in conditions:
            table = self._table(condition, ["label", "pred"])
            if ids is not None and not table["sample_id"].equals(ids):
                raise RunError(f"model {self.model!r}: {condition!r} holds other samples than {conditions[0]!r}")
            ids = table["sample_id"]
            columns.append(pc.equal(table["label"], table["pred"]).to_numpy())
        return np.stack(columns, axis=1)

    def _table(self, condition: str, columns: Sequence[str]) -> pa.Table:
        table = read_condition(self._folder, self.model, condition, columns)
        if len(table) != self.n:
            raise IncompleteError(
                f"model {self.model!r}, condition {condition!r}: wanted records of {self.n} samples, got {len(table)}; "
                "finish the run first by starting it again with the same folder"
            )
        return table
