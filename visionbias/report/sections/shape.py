# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Shape or texture, in the form of Geirhos et al. (ICLR 2019): categories down, from shape to texture across."""

import re

from visionbias.probes.shape_bias import ShapeBias
from visionbias.report.blocks import Cell, Figure, Json, Section, Table, caption, number, with_interval
from visionbias.report.contents import Contents
from visionbias.report.style import color, marker, stamped, text

_CATEGORY = re.compile(r"shape_bias\[(.*)\]", re.DOTALL)


def shape_section(contents: Contents) -> Section | None:
    """A marker a model and category, and a vertical line at each model's shape bias."""
    probe = contents.probe(ShapeBias)
    if probe is None:
        return None
    summary = contents.summary
    columns = {found[1]: name for name in map(str, summary.columns) if (found := _CATEGORY.fullmatch(name))}
    categories = sorted(columns, reverse=True)  # Plotly draws from the bottom up
    traces: list[Json] = []
    lines: list[Json] = []
    rows: list[list[Cell]] = []
    by_classes: list[str] = []  # models that decide among the classes of the images
    measured = summary.get("shape_bias_n", summary["n"] * 0) > 0
    for i, row in zip(summary.index[measured], summary[measured].to_dict("records"), strict=True):
        model = str(row["model"])
        if row["shape_bias_decision"] == "data":
            by_classes.append(model)
        of = [row[f"shape_bias_n[{category}]"] for category in categories]
        shares = [number(row[columns[category]]) for category in categories]
        whole = with_interval(row["shape_bias"], row["shape_bias_low"], row["shape_bias_high"])
        rows.append([Cell(model), whole, number(row["cue_accuracy"]), *reversed(shares)])
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": text(model),
                "x": [None if share.value is None else 1.0 - share.value for share in shares],
                "y": list(map(text, categories)),
                "text": [f"shape bias {s.text} of {n:.0f}" for s, n in zip(shares, of, strict=True)],
                "hovertemplate": f"{text(model)}<br>%{{y}}: %{{text}}<extra></extra>",
                "marker": marker(i) | {"size": 10},
            }
        )
        if whole.value is not None:
            x = 1.0 - whole.value
            lines.append(
                {
                    "type": "line",
                    "x0": x,
                    "x1": x,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                    "layer": "below",
                    "line": {"color": color(i), "width": 2},
                }
            )
    traces.append({"type": "scatter", "x": [None], "y": [None], "xaxis": "x2", "showlegend": False})  # shows the axis
    share = [i / 5 for i in range(6)]
    partial = contents.partial(probe.name)
    figure = Figure(
        "shape",
        "Shape and texture decisions by category of the shape. Vertical lines: each model over all categories. In the "
        "legend a click hides a model, a double click shows it alone.",
        {"": {"data": traces}},
        stamped(
            {
                "xaxis": {
                    "title": {"text": "fraction of texture decisions"},
                    "range": [-0.03, 1.03],
                    "tickvals": share,
                    "zeroline": False,
                },
                "xaxis2": {
                    "title": {"text": "fraction of shape decisions"},
                    "overlaying": "x",
                    "side": "top",
                    "range": [-0.03, 1.03],
                    "tickvals": share,
                    "ticktext": [f"{1.0 - value:.1f}" for value in share],
                    "showgrid": False,
                    "zeroline": False,
                },
                "yaxis": {"type": "category", "categoryarray": list(map(text, categories)), "categoryorder": "array"},
                "shapes": lines,
                "height": 200 + 26 * len(categories),
                "margin": {"t": 70},
            },
            partial,
        ),
        {},
        table=Table(
            caption("Shape bias by category of the shape", partial),
            ["model", "shape_bias", "cue_accuracy", *reversed(categories)],
            rows,
        ),
    )
    mixed = (
        f" {', '.join(by_classes)}: decided among the classes of the images, the other models among the 16 categories; "
        "do not compare the former with the latter."
        if 0 < len(by_classes) < len(rows)
        else ""
    )
    return Section(
        "shape",
        "Shape and texture",
        "Images whose shape is of one category and whose texture is of another. Decisions for neither do not count in "
        f"the shares; cue_accuracy, in the table, is the share of images that are decided for one of the two.{mixed}",
        [figure] if rows else [],
    )
