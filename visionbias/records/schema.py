# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The columns of a record file and how (model, condition) become folders."""

from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.dataset as ds

SCHEMA_VERSION = 1

# One row a sample; model and condition are in the path.
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("label", pa.int32(), nullable=False),  # index into the data's classes
    pa.field("pred", pa.int32(), nullable=False),  # index into the data's classes
    pa.field("in_top5", pa.bool_(), nullable=False),
    pa.field("p_label", pa.float32(), nullable=False),  # probability of the label
    pa.field("margin", pa.float32(), nullable=False),  # log p(label) - log p(best other class)
    pa.field("decision16", pa.int8()),  # index into the 16 categories, where the probe asks for it
]
RECORD_SCHEMA = pa.schema(_FIELDS, metadata={"visionbias.schema": str(SCHEMA_VERSION)})

PARTITIONING = ds.HivePartitioning(pa.schema([("model", pa.string()), ("condition", pa.string())]))


def partition(model: str, condition: str) -> str:
    """Relative folder of the records of one model under one condition."""
    return f"model={quote(model, safe='')}/condition={quote(condition, safe='')}"
