# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads record files back as aligned columns: sorted by sample id, each sample once."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from visionbias.errors import RunError
from visionbias.records.files import RecordFile, opened, overlap, partitions, read_files
from visionbias.records.manifest import MANIFEST
from visionbias.records.samples import SampleTable
from visionbias.records.schema import PARTITIONING, RECORD_SCHEMA


def open_records(folder: Path) -> ds.Dataset:
    """All records as one dataset with the columns of `RECORD_SCHEMA` plus `model` and `condition`, each record once.

    Files are opened, not read: pages that are damaged raise pyarrow's `OSError` when they are read, and so do files
    that a run which goes on meanwhile has made into one; open them again. Where two files hold the same samples, those
    of their model and condition are read at once, and all where the folder's name is no text, which pyarrow wants.

    Raises:
        RunError: a file cannot be read, or was written by a version with another schema.
    """
    schema = pa.unify_schemas([RECORD_SCHEMA, PARTITIONING.schema])
    is_text = str(folder).encode(errors="replace") == os.fsencode(folder)
    paths: list[str] = []
    tables: list[pa.Table] = [] if is_text else [schema.empty_table()]
    for model, condition in partitions(folder):
        files = read_files(folder, model, condition, _checked)
        if overlap(files) or not is_text:
            table = read_condition(folder, model, condition, RECORD_SCHEMA.names)
            for name, value in (("model", model), ("condition", condition)):
                table = table.append_column(name, pa.array([value] * len(table), pa.string()))
            tables.append(table.cast(schema))
            continue
        paths += [str(file.path) for file in files]
    if not is_text:
        return ds.dataset(tables)
    checked = ds.ParquetFileFormat(
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    )
    dataset = ds.dataset(
        paths, schema=schema, format=checked, partitioning=PARTITIONING, partition_base_dir=str(folder)
    )
    return ds.dataset([dataset, ds.dataset(tables)]) if tables else dataset


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

    def rows(record: RecordFile) -> pa.Table:
        with opened(record.path) as file:
            return file.read(columns=wanted).replace_schema_metadata(None)

    parts = read_files(folder, model, condition, rows)
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


def _checked(record: RecordFile) -> RecordFile:
    with opened(record.path):
        return record


def measured_samples(folder: Path, model: str, conditions: Sequence[str]) -> "pa.Array[Any]":
    """Ids, sorted, of the samples that have a record of a model under each of the conditions.

    Raises:
        RunError: see `read_condition`.
    """
    common: pa.Array[Any] | None = None
    for condition in conditions:
        ids = read_condition(folder, model, condition, [])["sample_id"].combine_chunks()
        common = ids if common is None else common.filter(pc.is_in(common, value_set=ids))
    return pa.array([], pa.string()) if common is None else common


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
        *,
        more: bool = False,  # there may be records of more samples than `samples`
    ) -> None:
        self._folder = folder
        self.model = model
        self._samples = samples
        self._sides = sides
        self._more = more

    def samples(self, condition: str) -> SampleTable:
        """The images that a condition shows, in order of sample id: the rows of its columns.

        Raises:
            RunError: the manifest does not have the condition.
        """
        if condition not in self._samples:
            raise RunError(
                f"{MANIFEST} is not the manifest of this run: no data set has the condition {condition!r}, which a "
                "probe shows; restore it or name a new folder"
            )
        return self._samples[condition]

    def is_measured(self, condition: str) -> bool:
        """Whether there are numbers to have: of an unfinished run, not of what no image has been shown for."""
        return not self._more or len(self.samples(condition).table) > 0

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
        wanted = self.samples(condition).table["sample_id"]
        if self._more:
            table = table.filter(pc.is_in(table["sample_id"], value_set=wanted.combine_chunks()))
        if len(table) != len(wanted) or not len(wanted):
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
