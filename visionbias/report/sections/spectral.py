# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy as low or high frequencies are taken away."""

import numpy as np
from numpy.typing import NDArray

from visionbias.metrics.accuracy import accuracy
from visionbias.probes.spectral_bias import SpectralBias
from visionbias.report.blocks import Cell, Figure, Json, Section, Table, caption, with_interval
from visionbias.report.contents import Contents
from visionbias.report.style import line, marker, stamped, text

_SIDES = ("low-pass", "high-pass")


def spectral_section(contents: Contents) -> Section | None:
    """A curve a model under low-pass and one under high-pass filters."""
    probe = contents.probe(SpectralBias)
    if probe is None:
        return None
    order = np.argsort(probe.cutoffs)
    cutoffs = [probe.cutoffs[i] for i in order]
    traces: list[Json] = []
    rows: list[list[Cell]] = []
    for i, model, (clean, *sides) in contents.measured(probe.correct):
        row = [Cell(model), _accuracy(clean)]
        for axis, side, correct in zip(("", "2"), _SIDES, sides, strict=True):
            cells = [_accuracy(correct[:, f]) for f in order]
            row += cells
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": text(model),
                    "legendgroup": text(model),
                    "showlegend": not axis,
                    "x": cutoffs,
                    "y": [cell.value for cell in cells],
                    "text": [cell.note for cell in cells],
                    "hovertemplate": f"{text(model)}<br>{side} %{{x:.4~g}}: %{{y:.3f}} %{{text}}<extra></extra>",
                    "marker": marker(i),
                    "line": line(i),
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                }
            )
        rows.append(row)
    named = [f"{side} {cutoff:.4g}" for side in _SIDES for cutoff in cutoffs]
    partial = contents.partial(contents.data)
    figure = Figure(
        "spectral",
        "Accuracy against the cutoff of the filter. In the legend a click hides a model, a double click shows it "
        "alone.",
        {"": {"data": traces}},
        stamped(
            {
                "xaxis": {"title": {"text": "low-pass cutoff"}, "domain": [0.0, 0.48]},
                "yaxis": {"title": {"text": "accuracy"}, "range": [-0.03, 1.03]},
                "xaxis2": {"title": {"text": "high-pass cutoff"}, "domain": [0.52, 1.0]},
                "yaxis2": {"range": [-0.03, 1.03], "anchor": "x2", "matches": "y", "showticklabels": False},
                "height": 460,
            },
            partial,
        ),
        {
            "xaxis": {"domain": [0.0, 1.0], "anchor": "y"},
            "yaxis": {"domain": [0.58, 1.0]},
            "xaxis2": {"domain": [0.0, 1.0], "anchor": "y2"},
            "yaxis2": {"domain": [0.0, 0.42], "showticklabels": True, "title": {"text": "accuracy"}},
            "height": 680,
        },
        table=Table(caption("Accuracy on clean and on filtered images", partial), ["model", "clean", *named], rows),
    )
    return Section(
        "spectral",
        "Frequencies",
        "What a model still recognizes when only low frequencies are left, and when only high ones are. Cutoffs are "
        "shares of the Nyquist frequency on each axis: low-pass keeps what is below, high-pass what the low-pass of 1 "
        "less the cutoff removes; at 1 the whole image is left.",
        [figure] if rows else [],
    )


def _accuracy(correct: NDArray[np.bool_]) -> Cell:  # [N]
    found = accuracy(correct)
    return with_interval(found.accuracy, *found.interval)
