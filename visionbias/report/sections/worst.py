# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where models lose most, with the images that they lose."""

from pathlib import Path
from typing import Any

import pandas as pd

from visionbias.analysis.failures import Against, failures, slice_samples
from visionbias.decode.pillow import decode_pillow
from visionbias.decode.source import read_file
from visionbias.errors import DataError
from visionbias.records.gallery import thumbnail
from visionbias.report.blocks import Block, Cell, Image, Pictures, Section, Strip, Table, caption, number
from visionbias.report.contents import Contents
from visionbias.types import Preprocessing

_ROWS = 3  # of a model
_SLICES = 4  # with pictures
_IMAGES = 6  # of a slice
_SIDE = 112  # pixels


def worst_section(contents: Contents) -> Section:
    """The worst slices of each model, and images of the very worst."""
    complete = int((contents.summary["status"] == "complete").sum())
    if not complete:
        return Section("worst", "Worst slices", "There is nothing to compare: no model has all of its records yet.")
    against: Against = "others" if complete > 1 else "clean"
    found = failures(contents.folder, against=against, top=_ROWS)
    found = found[found["lost"] > 0]
    if found.empty:
        return Section("worst", "Worst slices", "No slice is known in which a model loses.")
    blocks: list[Block] = []
    condition = found["kind"] == "condition"
    for kinds, rows in (("conditions", found[condition]), ("classes and groups", found[~condition])):
        if len(rows):
            shown = rows.groupby("model", sort=False).head(_ROWS)
            partial = contents.partial(*shown["data"])
            blocks.append(_table(caption(f"Worst {kinds} of each model", partial), shown))
    worst = found[~condition].groupby("model", sort=False).head(1).head(_SLICES)
    strips = [_strip(contents, row) for row in worst.to_dict("records")]
    if strips:
        blocks.append(Pictures("Unchanged images of the worst classes and groups, which are not recognized", strips))
    return Section(
        "worst",
        "Worst slices",
        "A slice is all images under one condition, or those of a class or a group. What is lost is accuracy against "
        "the mean of the other models or, of a single model, against its own on the unchanged images; the lower end "
        "of its 95 % interval makes the order, so that chance in small slices does not. "
        f"visionbias.analysis.failures(folder, against={against!r}) gives the whole table, and slice_samples the "
        "images of a row.",
        blocks,
    )


def _table(words: str, rows: pd.DataFrame) -> Table:
    columns = ["model", "condition", "slice", "n", "accuracy", "clean", "others", "lost"]
    cells = [
        [
            Cell(row["model"]),
            Cell(row["condition"]),
            Cell(row["slice"], note=row["data"]),
            Cell(f"{row['n']:,}", value=float(row["n"])),
            *(number(row[name]) for name in columns[4:-1]),
            number(row["lost"])._replace(note=f"[{row['lost_low']:.3f}, {row['lost_high']:.3f}]"),
        ]
        for row in rows.to_dict("records")
    ]
    return Table(words, columns, cells, sortable=True)


def _strip(contents: Contents, row: dict[Any, Any]) -> Strip:
    """Images of a slice that the model loses, those first that it knows unchanged."""
    samples = slice_samples(contents.folder, row)
    lost = samples[~samples["correct"]].sort_values("clean", ascending=False, kind="stable").head(_IMAGES)
    paths = [str(path) for path in lost["path"]]
    found = [(path, _thumbnail(contents, row["data"], row["model"], path)) for path in paths]
    return Strip(
        f"{row['model']}, {row['condition']}: {row['slice']}, {row['accuracy']:.3f} of {row['n']:,}",
        [Image(jpeg, path) for path, jpeg in found if jpeg is not None],
        [path for path, jpeg in found if jpeg is None],
    )


def _thumbnail(contents: Contents, data: str, model: str, sample_id: str) -> bytes | None:
    """The crop that the model sees, where the image still lies where it was."""
    root = contents.manifest["data_sets"][data].get("root")
    if not root:
        return None
    rule = Preprocessing(**contents.manifest["study"]["data"][data]["models"][model]["preprocessing"])
    content = read_file(Path(root) / sample_id)
    if content.unread is not None:
        return None
    try:
        return thumbnail(decode_pillow(content.data, rule), _SIDE)
    except DataError:  # it is another one
        return None
