# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The published table of the study, with what is wrong in it.

Source: Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?", CVPR 2024, their benchmark.csv.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from visionbias.analysis.groups import STUDY_GROUPS, add_group_means
from visionbias.analysis.tables import MODEL, number_columns, read_table, require_table
from visionbias.errors import DataError

# The biases that the study correlates with the groups; the last three are relative to accuracy without noise.
STUDY_BIASES = (
    "shape-bias",
    "lpp",
    "hpp",
    "spectral_bias",
    "metric/criticalband/bw_norm",
    "metric/criticalband/cf_norm",
    "metric/criticalband/pns_norm",
)

_REAL, _PGD = "top1_acc/imagenet-real", "top1_acc/PGD-40/low"
_CHANNEL = ("metric/criticalband/bw", "metric/criticalband/cf")
_CURVES = {
    name: tuple(f"metric/bandpass/{side}/0.{tenths}" for tenths in range(1, 6))
    for name, side in (("lpp", "LFC"), ("hpp", "HFC"))
}
_LAST_BATCH, _PADDED = 326, 50_048  # what the published code divides by, instead of all 50,000 images
_WIDEST = 70.0  # octaves, ten times what the noise spans: beyond it a width is not determined


@dataclass(frozen=True)
class StudyTable:
    """The table, a row a model, and its known faults: column -> what is wrong, to be said wherever it is shown."""

    table: pd.DataFrame
    faults: Mapping[str, str]


def load_study_table(path: str | Path) -> StudyTable:
    """Read the study's CSV, as published or with some models left out.

    Published columns keep their names and values: accuracies in percent, filtered accuracies relative to clean ones,
    bandwidths in octaves, center frequencies in cycles/image. Widths and centers that the data do not determine become
    NaN. Added are `lpp`, `hpp`, `spectral_bias`, and the groups of `STUDY_GROUPS`.

    Raises:
        DataError: the file cannot be read, or lacks columns of the study.
    """
    table = require_table(str(path), read_table(path))
    members = [name for names in STUDY_GROUPS.values() for name in names]
    published = [*members, *_CHANNEL, *(name for names in _CURVES.values() for name in names)]
    if absent := [name for name in (MODEL, *published) if name not in table]:
        raise DataError(f"{path} is not the study's table: it lacks {', '.join(absent)}; wanted its benchmark.csv")
    derived = {*_CURVES, "spectral_bias", *STUDY_GROUPS, "status", "n", "bad"}
    if taken := sorted(derived & set(table)):
        raise DataError(f"{path}: the columns {', '.join(taken)} are not the study's, and are made here; drop them")
    values = number_columns(str(path), table, published)
    biases = number_columns(str(path), table, [name for name in STUDY_BIASES if name in table])
    table = table.assign(**values, **biases)
    faults = dict(_faults(values)) | dict(_ties(biases))
    for name in _CHANNEL:
        table[name] = np.where(_degenerate(values), np.nan, values[name])
    table = add_group_means(table, _CURVES)
    table["spectral_bias"] = table["hpp"] / (table["lpp"] + table["hpp"])
    return StudyTable(add_group_means(table, STUDY_GROUPS), faults)


def _faults(values: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, str]]:
    if models := _counted(values[_REAL], _LAST_BATCH):
        yield _REAL, f"the accuracy of the last batch alone, a multiple of 1/{_LAST_BATCH}, of {models}"
        yield "ID", f"averages {_REAL}, which is the accuracy of the last batch alone, of {models}"
    if models := _counted(values[_PGD], _PADDED):
        for name in (_PGD, "adversarial"):
            yield name, f"divides by {_PADDED:,}, the size of whole batches, not by 50,000 images, for {models}"
    if n := int(_degenerate(values).sum()):
        for name in _CHANNEL:
            yield (
                name,
                f"not determined for {n} of {len(values[name])} models, which fail in every band at any noise: NaN",
            )


def _ties(biases: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, str]]:
    """Biases of which more than a quarter of the models share one value: ranks among these mean nothing."""
    for name, column in biases.items():
        known = column[np.isfinite(column)]
        shared, counts = np.unique(known, return_counts=True)
        if len(known) and counts.max() > max(1, len(known) / 4):
            value = shared[counts.argmax()]
            yield (
                name,
                f"{counts.max()} of {len(known)} models share one value, {value:.4g}: it does not tell them apart",
            )


def _degenerate(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:  # [M]
    return np.abs(values[_CHANNEL[0]]) > _WIDEST


def _counted(percent: NDArray[np.float64], images: int) -> str:
    """Of which models the accuracy counts among so many images, such as "48 of 48 models"; empty where those of most do
    not, for some may by chance.
    """
    hits = percent[np.isfinite(percent)] / 100.0 * images
    n = int((np.abs(hits - np.round(hits)) < 1e-6).sum())
    return f"{n} of {len(hits)} models" if 2 * n > len(hits) else ""
