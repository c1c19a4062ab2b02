# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Groups of benchmarks, each with one number: the mean over its members."""

from collections.abc import Mapping, Sequence

import pandas as pd

from visionbias.analysis.tables import number_columns, require_mapping, require_names, require_table
from visionbias.errors import DataError

# The study's, in the names of its published table.
STUDY_GROUPS: Mapping[str, tuple[str, ...]] = {
    "ID": ("top1_acc/imagenet", "top1_acc/imagenet-v2", "top1_acc/imagenet-real"),
    "robustness": ("top1_acc/imagenet-a", "top1_acc/imagenet-c", "top1_acc/imagenet-cbar"),
    "concepts": ("top1_acc/imagenet-sketch", "top1_acc/imagenet-r", "top1_acc/stylized"),
    "adversarial": ("top1_acc/PGD-40/low",),
}


def add_group_means(table: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The table with a column a group: the mean of its columns, NaN for a model that lacks one of them.

    Args:
        table: a row a model.
        groups: name of the new column -> columns it averages, such as `STUDY_GROUPS`.

    Raises:
        DataError: a column is absent or holds no numbers, or a group has the name of a column.
    """
    table = require_table("add_group_means", table)
    require_mapping("add_group_means", "groups", groups)
    if taken := [name for name in groups if name in table]:
        raise DataError(f"add_group_means: the table has the columns {', '.join(taken)} already; name the groups anew")
    means = {}
    for group, names in groups.items():
        columns = number_columns("add_group_means", table, require_names("add_group_means", f"group {group!r}", names))
        means[group] = sum(columns.values()) / len(columns)
    return table.assign(**means)
