# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decisions, shape bias, error consistency and channels against values of the published code and data."""

import json

import numpy as np
import pytest

import visionbias as vb
from visionbias.metrics.channel import fit_channel
from visionbias.metrics.decisions import category_probabilities16

SDS = [0, 0.02, 0.04, 0.08, 0.16]


def loaded(shared, name):
    return json.loads((shared / "golden" / name).read_text())


@pytest.fixture(scope="module")
def responses(shared):
    """Trials by `folder/subject`."""
    folder = shared / "golden/cue_conflict_csv"
    tables = {
        (kind.name, subject): rows
        for kind in sorted(folder.iterdir())
        for subject, rows in vb.metrics.read_responses(kind).groupby("subject")
    }
    return {f"{kind}/{subject}": rows for (kind, subject), rows in tables.items()}


def test_decisions(shared):
    with np.load(shared / "golden/decisions.npz") as golden:
        assert tuple(golden["categories"]) == vb.metrics.CATEGORIES16
        assert vb.metrics.decide16(golden["logits"]).tolist() == golden["decision"].tolist()
        means = category_probabilities16(golden["logits"])
        assert np.abs(means / golden["aggregated"] - 1).max() < 1e-5
        assert np.argsort(-means, axis=1, kind="stable").tolist() == golden["order"].tolist()


def test_shape_bias_of_published_responses(shared, responses):
    found = 0
    for key, wanted in loaded(shared, "shape_bias.json")["decision_makers"].items():
        rows = responses[key]
        result = vb.metrics.shape_bias(rows["shape"].tolist(), rows["texture"].tolist(), rows["response"].tolist())
        assert (result.n, result.n_shape, result.n_texture) == (
            wanted["n_conflict"],
            wanted["shape"],
            wanted["texture"],
        )
        assert result.shape_bias == pytest.approx(wanted["shape_bias"], abs=1e-12)
        for category, one in wanted["per_shape_category"].items():
            own = result.per_category[category]
            assert (own.n_shape, own.n_texture) == (one["shape"], one["texture"])
        found += 1
    assert found >= 5


def test_error_consistency_of_published_responses(shared, responses):
    pairs = loaded(shared, "error_consistency.json")["pairs"]
    for pair in pairs:
        a, b = (responses[pair[name]].set_index("image").sort_index() for name in ("a", "b"))
        assert a.index.equals(b.index)
        kappa = vb.metrics.error_consistency(a["response"] == a["shape"], b["response"] == b["shape"])
        assert kappa == pytest.approx(pair["kappa"], abs=1e-12)
    assert len(pairs) == 10


def test_thresholds_and_fits_of_published_networks(shared):
    golden = loaded(shared, "channel_fit.json")
    well = 0
    for network in golden["networks"].values():
        fit = vb.metrics.channel_fit(network["accuracy"], SDS)
        assert fit.thresholds.tolist() == network["thresholds"]
        wanted = network["fit"]
        assert fit.identifiable == wanted["well_conditioned"]
        assert fit.sse == pytest.approx(wanted["sse"], abs=1e-3)
        if fit.identifiable:
            names = ("amplitude", "mu", "sigma", "bandwidth", "center_frequency", "peak_noise_sensitivity")
            got = [getattr(fit, name) for name in names]
            assert got == pytest.approx([wanted[name] for name in ("A", "mu", "sigma", "bw", "cf", "pns")], rel=1e-5)
            well += 1
        else:
            assert np.isnan([fit.mu, fit.sigma, fit.bandwidth, fit.center_frequency]).all()
    assert well == 48


def test_synthetic_thresholds_that_determine_nothing_are_flagged(shared):
    flagged = 0
    for case in loaded(shared, "channel_fit.json")["synthetic"]:
        fit = fit_channel(np.arange(7.0), np.array(case["thresholds"], float), 4.0)
        wanted = case["fit"]
        determined = wanted["well_conditioned"]
        assert fit.identifiable == determined, case
        assert np.isnan(fit.mu) != determined
        flagged += not determined
        if wanted["status"] == "ok":
            assert fit.sse == pytest.approx(wanted["sse"], abs=1e-3)
    assert flagged > 0
