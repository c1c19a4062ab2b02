# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""In which octaves noise disturbs a model."""

import numpy as np

from visionbias.metrics.channel import Channel
from visionbias.metrics.psychometric import octaves_below_strongest
from visionbias.probes.critical_band import CriticalBand
from visionbias.report.blocks import Cell, Figure, Json, Section, Table, caption, number
from visionbias.report.contents import Contents
from visionbias.report.style import SEQUENTIAL, color_axis, stamped

_BELOW = -0.3  # octaves from the middle of a cell to its number, out of the way of the thresholds
_BRIGHT = 0.6  # accuracy from which cells are bright


def channel_section(contents: Contents) -> Section | None:
    """A heat map a model, of accuracy over band and noise, with thresholds and the channel through them."""
    probe = contents.probe(CriticalBand)
    if probe is None:
        return None
    levels = octaves_below_strongest((0.0, *probe.noise_sds))[::-1]  # [1 + S], none first
    names = ["none", *(f"{sd:.4g}" for sd in probe.noise_sds)]
    determined = contents.summary.set_index("model").get("channel_identifiable")
    views: dict[str, Json] = {}
    rows: list[list[Cell]] = []
    for _, model, accuracies in contents.measured(probe.accuracies):
        thresholds, channel = probe.channel(accuracies)
        if determined is None or determined.get(model) != 1.0:
            channel = None
        zero = probe.octave_zero_cpi(contents.records[model])
        ticks = [f"{band}<br>{zero * 2.0**band:.3g}" for band in probe.bands]
        views[model] = {
            "data": _traces(probe, levels, names, accuracies, thresholds, channel),
            "layout": {"xaxis": {"ticktext": ticks}},
        }
        for name, of_level in zip(names, accuracies, strict=True):
            rows.append([Cell(model), Cell(name), *map(number, of_level)])
    partial = contents.partial(contents.data)
    figure = Figure(
        "channel",
        "Accuracy in noise of one octave, at each strength. Diamonds: the strength at which accuracy falls to the "
        "criterion; line: the channel fitted through them, where the data determine one.",
        views,
        stamped(
            {
                "xaxis": {
                    "title": {"text": "band, and its center (cycles/image)"},
                    "tickvals": list(probe.bands),
                    "range": [probe.bands[0] - 0.5, probe.bands[-1] + 0.5],
                    "showgrid": False,
                },
                "yaxis": {
                    "title": {"text": "standard deviation of the noise"},
                    "tickvals": (-levels).tolist(),
                    "ticktext": names,
                    "range": [-levels[0] - 0.5, 0.5],
                    "showgrid": False,
                },
                "height": 460,
                "showlegend": False,
                "coloraxis": color_axis(0.0, 1.0, SEQUENTIAL, "accuracy"),
            },
            partial,
        ),
        {"height": 400, "coloraxis": {"showscale": False}},
        choose="Model",
        table=Table(
            caption("Accuracy by noise and band", partial),
            ["model", "noise", *(f"band {b}" for b in probe.bands)],
            rows,
        ),
    )
    criterion = f"{probe.threshold:g} %" + (" of the accuracy without noise" if probe.criterion == "relative" else "")
    return Section(
        "channel",
        "Critical band",
        f"Grey images of low contrast in noise of one octave. The criterion is an accuracy of {criterion}. A deep and "
        "narrow dip of the line is a channel: the octave that the model needs.",
        [figure] if rows else [],
    )


def _traces(
    probe: CriticalBand,
    levels: np.ndarray,  # [1 + S] octaves below the strongest noise, none first
    names: list[str],
    accuracies: np.ndarray,  # [1 + S, B]
    thresholds: np.ndarray,  # [B]
    channel: Channel | None,
) -> list[Json]:
    bands = np.array(probe.bands, dtype=float)
    traces: list[Json] = [
        {
            "type": "heatmap",
            "x": bands.tolist(),
            "y": (-levels).tolist(),
            "z": accuracies.tolist(),
            "customdata": [[name] * len(bands) for name in names],
            "coloraxis": "coloraxis",
            "hovertemplate": "band %{x:d}, noise %{customdata}: %{z:.3f}<extra></extra>",
            "xgap": 2,
            "ygap": 2,
        },
        {
            "type": "scatter",
            "mode": "text",
            "name": "accuracy",
            "x": bands.tolist() * len(levels),
            "y": np.repeat(_BELOW - levels, len(bands)).tolist(),
            "text": [f"{value:.2f}" for value in accuracies.flat],
            "textfont": {"color": ["#000000" if value > _BRIGHT else "#FFFFFF" for value in accuracies.flat]},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "threshold",
            "x": bands.tolist(),
            "y": (-thresholds).tolist(),
            "marker": {"symbol": "diamond", "size": 12, "color": "#FFFFFF", "line": {"color": "#000000", "width": 2}},
            "hovertemplate": "band %{x:d}: threshold<extra></extra>",
        },
    ]
    if channel is not None:
        fine = np.linspace(bands[0] - 0.5, bands[-1] + 0.5, 101)
        curve = channel.amplitude * np.exp(-((fine - channel.mu) ** 2) / (2.0 * channel.sigma**2))
        for color, width in (("#000000", 5), ("#FFFFFF", 2.5)):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "channel",
                    "x": fine.tolist(),
                    "y": (-curve).tolist(),
                    "line": {"color": color, "width": width},
                    "hoverinfo": "skip",
                }
            )
    return traces
