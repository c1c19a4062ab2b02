# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads record files back as aligned columns: sorted by sample id, each sample once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from visionbias.errors import RunError
from visionbias.records.samples import SampleTable
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
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
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
    """The records of one model, as the probes' scores read them: aligned with the samples of their data set."""

    def __init__(
        self,
        folder: Path,  # of the records
        model: str,
        samples: Mapping[str, SampleTable],  # condition -> what it was shown
        sides: Mapping[str, int],  # condition -> side in pixels of the crops that the model sees
    ) -> None:
        self._folder = folder
        self.model = model
        self._samples = samples
        self._sides = sides

    def samples(self, condition: str) -> SampleTable:
        """The images that a condition shows, in order of sample id: the rows of its columns."""
        return self._samples[condition]

    def image_side(self, condition: str) -> int:
        """Side in pixels of the square crops that a condition shows to the model."""
        return self._sides[condition]

    def column(self, condition: str, name: str) -> np.ndarray:  # [N]
        """One column under one condition, in order of sample id."""
        return self._table(condition, [name])[name].to_numpy()

    def correct(self, conditions: Sequence[str]) -> np.ndarray:  # [N, F] bool
        """Whether the prediction is the label, for aligned samples."""
        tables = (self._table(condition, ["label", "pred"]) for condition in conditions)
        return np.stack([pc.equal(table["label"], table["pred"]).to_numpy() for table in tables], axis=1)

    def _table(self, condition: str, columns: Sequence[str]) -> pa.Table:
        table = read_condition(self._folder, self.model, condition, columns)
        wanted = self._samples[condition].table["sample_id"]
        if len(table) != len(wanted):
            raise IncompleteError(
                f"model {self.model!r}, condition {condition!r}: wanted records of {len(wanted)} samples, "
                f"got {len(table)}; finish the run first by starting it again with the same folder"
            )
        if not table["sample_id"].equals(wanted):
            raise RunError(
                f"model {self.model!r}, condition {condition!r}: its records are of other samples than the run's; "
                "delete them and start the same run again"
            )
        return table
