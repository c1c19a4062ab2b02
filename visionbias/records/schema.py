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

_FIELDS_OF_FOLDERS = pa.schema([("model", pa.string()), ("condition", pa.string())])
PARTITIONING = ds.HivePartitioning(_FIELDS_OF_FOLDERS, null_fallback="\0")  # no name is missing


_LONGEST_NAME = 255  # bytes of a file's or folder's name, on all file systems in use
_FILE_NAME_ROOM = 55  # of them, for suffix and temporary name of the file that a data set names


def check_names(names: Iterable[str], kind: Literal["model", "condition", "data set"]) -> None:
    """Refuse names of models, conditions or data sets that cannot be folders or files.

    Raises:
        RunError: one is no text, is too long, where other characters than A-Z, a-z, 0-9 and _.-~ take three bytes or
            more, or is no text that UTF-8 can hold.
    """
    room = _LONGEST_NAME - (_FILE_NAME_ROOM if kind == "data set" else len(f"{kind}="))
    for name in names:
        try:
            length = len(quote(name, safe=""))
        except UnicodeEncodeError as error:
            raise RunError(f"{kind} {name!r}: wanted a name in UTF-8, got half a character; rename it") from error
        except TypeError as error:
            raise RunError(f"{kind} {name!r}: wanted a name, got a {type(name).__name__}") from error
        if length > room:
            raise RunError(
                f"{kind} {name[:40]!r}...: wanted a name that takes at most {room} bytes in a path, got {length}; "
                "give it a shorter one"
            )
