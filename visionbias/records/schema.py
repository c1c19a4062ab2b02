# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The columns of a record file and how (model, condition) become folders."""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.dataset as ds

from visionbias.errors import RunError

SCHEMA_VERSION = 2

# One row a sample; model and condition are in the path.
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("label", pa.int32(), nullable=False),  # index into the data's classes
    pa.field("pred", pa.int32(), nullable=False),  # index into the data's classes
    pa.field("in_top5", pa.bool_(), nullable=False),
    pa.field("p_label", pa.float32(), nullable=False),  # probability of the label
    pa.field("margin", pa.float32(), nullable=False),  # log p(label) - log p(best other class)
    pa.field("decision16", pa.int8()),  # index into the 16 categories, by models of ImageNet's classes
]
RECORD_SCHEMA = pa.schema(_FIELDS, metadata={"visionbias.schema": str(SCHEMA_VERSION)})

PARTITIONING = ds.HivePartitioning(pa.schema([("model", pa.string()), ("condition", pa.string())]))


_LONGEST_NAME = 255  # bytes of a folder's name, on all file systems in use


def check_names(names: Iterable[str], kind: Literal["model", "condition"]) -> None:
    """Refuse names of models or conditions that cannot be folders.

    Raises:
        RunError: one is too long as a folder's name, where other characters than A-Z, a-z, 0-9 and _.-~ take three
            bytes or more, or it is no text that UTF-8 can hold.
    """
    for name in names:
        try:
            length = len(f"{kind}={quote(name, safe='')}")
        except UnicodeEncodeError as error:
            raise RunError(f"{kind} {name!r}: wanted a name in UTF-8, got half a character; rename it") from error
        if length > _LONGEST_NAME:
            raise RunError(
                f"{kind} {name[:40]!r}...: wanted a name that fits a folder's {_LONGEST_NAME} bytes, got {length}; "
                "give it a shorter one"
            )
