# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How plots look: colors that the color-blind tell apart, always together with a shape."""

from collections.abc import Sequence
from html import escape
from typing import Any

# Okabe & Ito, "Color universal design", less black and yellow, which vanish on dark or on white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
DIVERGING = ((0.0, "#D55E00"), (0.5, "#F5F5F5"), (1.0, "#0072B2"))  # -1, 0, 1
SEQUENTIAL = "Viridis"
WARNING = "#D55E00"
_STAMPED = 2  # data sets that a figure names


def color(i: int) -> str:
    """Of the i-th model or kind."""
    return COLORS[i % len(COLORS)]


def marker(i: int) -> dict[str, Any]:
    """Of the i-th model or kind: 48 of them differ."""
    turn = i // len(COLORS)
    return {"color": color(i), "symbol": SYMBOLS[(i + turn) % len(SYMBOLS)], "size": 9, "line": {"width": 0.5}}


def line(i: int) -> dict[str, Any]:
    """Of the i-th model."""
    return {"color": color(i), "dash": DASHES[i // len(COLORS) % len(DASHES)], "width": 2}


def color_axis(low: float, high: float, scale: object, title: str) -> dict[str, Any]:
    """From numbers to the colors of a heat map."""
    bar = {"title": {"text": title}, "thickness": 14, "outlinewidth": 0}
    return {"cmin": low, "cmax": high, "colorscale": scale, "colorbar": bar}


def stamp(partial: Sequence[str]) -> str:
    """What is partial, in lines for a title; where it is much, the first and how many more."""
    more = len(partial) - _STAMPED
    lines = partial if more <= 1 else [*partial[:_STAMPED], f"partial: {more} more sets"]
    colored = (f'<span style="font-size:10px;color:{WARNING}">{text(line)}</span>' for line in lines)
    return "<br>".join(colored)


def stamped(layout: dict[str, Any], partial: Sequence[str]) -> dict[str, Any]:
    """A layout without a title, with one that says what is partial, if anything is."""
    if not partial:
        return layout
    margin = layout.get("margin", {})
    top = margin.get("t", 32) + 12 + 18 * min(len(partial), _STAMPED + 1)
    title = {"text": stamp(partial), "x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top"}
    return layout | {"margin": margin | {"t": top}, "title": title | {"font": {"size": 12}, "pad": {"t": 18, "l": 4}}}


def text(name: object) -> str:
    """A text for Plotly, which reads tags, entities and, where the mouse is, %{variables} in its texts."""
    return escape(str(name), quote=False).replace("%", "&#37;")  # it knows no &quot;
