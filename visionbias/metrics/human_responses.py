# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Published tables of what people, and networks, saw in cue-conflict images."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from visionbias.datasets.cue_conflict import parse_cues
from visionbias.errors import DataError
from visionbias.metrics.decisions import CATEGORIES16

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("subj", "object_response", "category", "imagename")
_NO_RESPONSE = "na"


def read_responses(
    source: str | Path | Iterable[str | Path], *, categories: Collection[str] = CATEGORIES16
) -> "pd.DataFrame":
    """Read CSV files in the format of Geirhos et al., or every one of a folder, with responses among `categories`.

    Args:
        source: a CSV file, a folder of them, or a list of both.
        categories: the responses that were allowed; default the 16 categories.

    Returns a row a trial: `subject`, `image` (the file name without its prefix), `shape`, `texture`, and `response`,
    which is missing where there was none in time.

    Raises:
        DataError: there is no such file, a column is missing, or an image name, a category or a response is of another
            form; names file, line and value.

    Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019, their raw data.
    """
    import pandas as pd

    if isinstance(source, (str, Path)):
        source = [source]
    try:
        paths = [Path(path) for path in source]
    except TypeError:
        raise DataError(f"read_responses: wanted a CSV file, a folder or a list of them, got {source!r:.80}") from None
    files = [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    if not files:
        raise DataError(f"{', '.join(map(str, paths)) or '[]'}: no CSV files there; wanted tables of responses")
    return pd.concat([_read(file, categories) for file in files], ignore_index=True)


def _read(path: Path, categories: Collection[str]) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the responses {path}: {error}; wanted a CSV file in UTF-8") from error
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise DataError(f"{path}: wanted the columns {','.join(_COLUMNS)}, {','.join(missing)} missing")
    rows = []
    for line, (subject, response, shape, name) in enumerate(table[list(_COLUMNS)].itertuples(index=False), start=2):
        image = name.rsplit("_", 1)[-1]
        cues = parse_cues(Path(image).stem)
        if cues is None:
            raise DataError(f"{path}, line {line}: imagename {name!r}; wanted one like 01_cat7-elephant1.png")
        if cues[0] != shape:
            raise DataError(f"{path}, line {line}: category {shape!r}, but {name!r} has the shape {cues[0]!r}")
        if response not in (*categories, _NO_RESPONSE):
            raise DataError(
                f"{path}, line {line}: object_response {response!r}; wanted one of {', '.join(categories)}, or "
                f"{_NO_RESPONSE}; name others with categories="
            )
        rows.append((subject, image, *cues, None if response == _NO_RESPONSE else response))
    return pd.DataFrame(rows, columns=["subject", "image", "shape", "texture", "response"])
