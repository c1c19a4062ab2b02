# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a report as image files, for papers and slides: on white, drawn by Kaleido in a browser."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from visionbias.errors import RunError
from visionbias.report.blocks import Figure, Json
from visionbias.report.contents import Contents
from visionbias.report.html import sections_of
from visionbias.report.style import COLORS, text
from visionbias.report.text import plain
from visionbias.runtime.durable import write_file

Format = Literal["svg", "png"]

_WIDTH = 900  # pixels
_SCALE = 2.0  # pixels of a PNG file to each of them
_INK, _RULE = "#1B1F24", "#D8DEE4"
_INSTALL = "pip install 'visionbias[figures]', and Chrome or Chromium on the PATH or at $BROWSER_PATH"


def write_figures(contents: Contents, folder: Path, format: Format) -> list[Path]:
    """Write an SVG or PNG file a figure, or a view of one, and return their paths.

    Raises:
        RunError: Kaleido or a browser is missing or does not run, the format is another, a file cannot be written, or
            records cannot be read.
    """
    if format not in get_args(Format):
        raise RunError(f"figures: format must be one of {', '.join(get_args(Format))}, got {format!r}")
    figures = [block for section in sections_of(contents) for block in section.blocks if isinstance(block, Figure)]
    drawn = [item for figure in figures for item in _views(figure)]
    names = _file_names([name for name, _ in drawn])
    paths = [folder / f"{name}.{format}" for name in names]
    with TemporaryDirectory() as made:
        drafts = [Path(made) / f"{i}.{format}" for i in range(len(drawn))]
        _draw([figure for _, figure in drawn], drafts, format)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path, draft in zip(paths, drafts, strict=True):
                write_file(path, draft.read_bytes())
        except OSError as error:
            raise RunError(
                f"cannot write the figures into {folder}: {error.strerror or error}; wanted a folder, or the name of "
                "a new one"
            ) from error
    return paths


def _views(figure: Figure) -> Iterator[tuple[str, Json]]:
    """A name, and data and layout, of each view; of a scatter plot, of each pair of columns."""
    if figure.axes is not None:
        (view,) = figure.views.values()
        for x in figure.axes["x"]["names"]:
            for y in figure.axes["y"]["names"]:
                if x != y:
                    yield f"{figure.id}-{x}-{y}", _whole(_scatter(view["data"], figure.axes, x, y), figure.layout)
        return
    for name, view in figure.views.items():
        layout = _merged(figure.layout, view.get("layout", {}))
        if figure.choose:
            layout = _named(layout, f"{figure.choose.lower()}: {name}")
        yield f"{figure.id}-{name}" if name else figure.id, _whole({"data": view["data"], "layout": {}}, layout)


def _scatter(traces: Sequence[Json], axes: Json, x: str, y: str) -> Json:
    """The plot of two columns, as script.js draws it."""
    columns, low, high = axes["columns"], axes["low"], axes["high"]

    def errors(name: str, rows: Sequence[int], color: str) -> Json:
        if name not in low or name not in high:
            return {}
        at = [(columns[name][row], low[name][row], high[name][row]) for row in rows]
        known = [None not in values for values in at]
        return {
            "array": [values[2] - values[0] if ok else None for values, ok in zip(at, known, strict=True)],
            "arrayminus": [values[0] - values[1] if ok else None for values, ok in zip(at, known, strict=True)],
            "color": f"rgba({int(color[1:3], 16)},{int(color[3:5], 16)},{int(color[5:7], 16)},0.5)",
            "thickness": 1,
            "width": 0,
        }

    data = [
        {key: value for key, value in trace.items() if key != "meta"}
        | {"x": [columns[x][row] for row in trace["meta"]], "y": [columns[y][row] for row in trace["meta"]]}
        | {"error_x": errors(x, trace["meta"], trace["marker"]["color"])}
        | {"error_y": errors(y, trace["meta"], trace["marker"]["color"])}
        for trace in traces
    ]
    stamps = dict.fromkeys(axes["stamps"][name] for name in (y, x) if name in axes["stamps"])
    title = "<br>".join(filter(None, [axes["titles"][y][x], *stamps]))
    axis_titles = {key: {"title": {"text": text(name)}} for key, name in (("xaxis", x), ("yaxis", y))}
    return {"data": data, "layout": {"title": {"text": title, "font": {"size": 16}}} | axis_titles}


def _named(layout: Json, name: str) -> Json:
    """With a line above the plot, under the stamp if there is one, that says which view it is."""
    margin, title = layout.get("margin", {}), layout.get("title", {"x": 0, "xref": "container", "y": 1})
    lines = filter(None, [title.get("text"), text(name)])
    placed = {"yref": "container", "yanchor": "top", "pad": {"t": 18, "l": 4}, "text": "<br>".join(lines)}
    return layout | {"margin": margin | {"t": margin.get("t", 32) + 20}, "title": title | placed}


def _whole(view: Json, layout: Json) -> Json:
    """On white paper, with a font that can be read in print."""
    theme: Json = {
        "width": _WIDTH,
        "paper_bgcolor": "#FFFFFF",
        "plot_bgcolor": "#FFFFFF",
        "font": {"color": _INK, "size": 15, "family": "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"},
        "margin": {"l": 60, "r": 20, "t": 32, "b": 55},
        "colorway": list(COLORS),
        "xaxis": {},
        "yaxis": {},
    }
    whole = _merged(_merged(theme, layout), view["layout"])
    for key in [name for name in whole if re.match("[xy]axis", name)]:
        lines = {"gridcolor": _RULE, "zerolinecolor": _RULE, "linecolor": _INK, "automargin": True}
        whole[key] = _merged(lines, whole[key])
    return {"data": view["data"], "layout": whole}


def _merged(base: Json, over: Json) -> Json:
    both = {key: _merged(base[key], over[key]) for key in base if isinstance(base[key], dict) and key in over}
    return base | over | both


def _file_names(names: Sequence[str]) -> list[str]:
    """Names that every file system takes, each once."""
    found: list[str] = []
    for name in names:
        plain_name = re.sub(r"[^\w.\[\]+-]+", "_", name).strip("._")[:100]
        taken = {one.lower() for one in found}
        free = (plain_name, *(f"{plain_name}-{i}" for i in range(2, len(names) + 2)))
        found.append(next(one for one in free if one.lower() not in taken))
    return found


def _draw(figures: Sequence[Json], paths: Sequence[Path], format: Format) -> None:
    """Have Kaleido write each figure; it asks for no file of the network.

    Raises:
        RunError: Kaleido or a browser is missing, or does not run.
    """
    try:
        import kaleido
        from kaleido.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError, KaleidoError
    except ImportError as error:
        raise RunError(f"figures as image files need Kaleido 1 and a browser; {_INSTALL} ({error})") from error
    jobs: list[dict[str, Any]] = [
        {
            "fig": json.loads(json.dumps(plain(figure), allow_nan=False)),
            "path": path,
            "opts": {
                "format": format,
                "width": figure["layout"]["width"],
                "height": figure["layout"].get("height", 500),
                "scale": _SCALE if format == "png" else 1.0,
            },
        }
        for figure, path in zip(figures, paths, strict=True)
    ]
    try:
        with ThreadPoolExecutor(1) as thread:  # where no event loop runs, as it does in notebooks
            drawn = kaleido.write_fig_from_object(jobs, kopts={"mathjax": False}, cancel_on_error=True)
            thread.submit(asyncio.run, drawn).result()
    except (ChromeNotFoundError, BrowserFailedError, BrowserClosedError, KaleidoError, TimeoutError) as error:
        raise RunError(f"Kaleido could not draw the figures: {error}; {_INSTALL}") from error
