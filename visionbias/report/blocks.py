# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What sections of the page are made of. Texts are plain: the template escapes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, NamedTuple

Json = dict[str, Any]
_PRINTED = 8  # columns beside the first that fit a sheet of paper


class Cell(NamedTuple):
    """A number or a text of a table."""

    text: str
    note: str = ""  # in small print, such as the interval
    value: float | None = None  # by which numbers are sorted


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first column names the row."""

    kind: ClassVar[str] = "table"

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    sortable: bool = False

    @property
    def parts(self) -> "list[Table]":
        """Tables that fit a sheet of paper, each with the first column."""
        return [
            Table(
                self.caption,
                [self.columns[0], *self.columns[start : start + _PRINTED]],
                [[row[0], *row[start : start + _PRINTED]] for row in self.rows],
            )
            for start in range(1, len(self.columns), _PRINTED)
        ]

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers."""
        cells = (row[column] for row in self.rows)
        return any(isinstance(cell, Cell) and cell.value is not None for cell in cells)


@dataclass(frozen=True)
class Figure:
    """A plot, in one view or in several to choose from, with the numbers behind it."""

    kind: ClassVar[str] = "figure"

    id: str
    caption: str
    views: Mapping[str, Json]  # name -> {"data": traces of Plotly, "layout": what is the view's own}
    layout: Json  # what all views share
    narrow: Json  # what replaces it on narrow screens
    choose: str = ""  # what the views are, where there are several
    axes: Json | None = None  # columns to choose from for x and y, see script.js
    table: Table | None = None


class Image(NamedTuple):
    """A small picture."""

    jpeg: bytes
    alt: str


@dataclass(frozen=True)
class Strip:
    """A few pictures side by side, under a name."""

    name: str
    images: Sequence[Image]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Pictures:
    """Strips of pictures under a heading."""

    kind: ClassVar[str] = "pictures"

    heading: str
    strips: Sequence[Strip]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"

    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Sentences:
    """A list of statements."""

    kind: ClassVar[str] = "sentences"

    sentences: Sequence[str]


Block = Table | Figure | Pictures | Facts | Sentences


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; `lead` says what it shows, or why there is nothing to show."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Block] = ()


def caption(words: str, partial: Sequence[str]) -> str:
    """The caption of a table, with what is partial in it."""
    return "; ".join((words, *partial))


def number(value: float, digits: int = 3) -> Cell:
    """A number as it is shown; a dash where it is not known."""
    return Cell(f"{value:z.{digits}f}", value=float(value)) if isfinite(value) else Cell("–", value=None)


def with_interval(value: float, low: float, high: float) -> Cell:
    """A number with its interval."""
    cell = number(value)
    known = cell.value is not None and isfinite(low + high)
    return cell._replace(note=f"[{low:z.3f}, {high:z.3f}]") if known else cell
