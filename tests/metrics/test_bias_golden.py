# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decisions, shape bias, error consistency and channels against values of the published code and data."""

import json

import numpy as np
import pytest

import visionbias as vb
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
        assert len(rows) == wanted["n_trials"]
        assert rows["response"].isna().sum() == wanted["n_na"]
        assert result.n - result.n_shape - result.n_texture == wanted["other"]
        assert result.shape_bias == pytest.approx(wanted["shape_bias"], rel=0, abs=1e-12)
        assert set(result.per_category) == set(wanted["per_shape_category"])
        for category, one in wanted["per_shape_category"].items():
            own = result.per_category[category]
            assert (own.n, own.n_shape, own.n_texture) == (one["n"], one["shape"], one["texture"])
            assert own.shape_bias == pytest.approx(one["shape_bias"], rel=0, abs=1e-12)
        found += 1
    assert found >= 5


def test_error_consistency_of_published_responses(shared, responses):
    pairs = loaded(shared, "error_consistency.json")["pairs"]
    for pair in pairs:
        a, b = (responses[pair[name]].set_index("image").sort_index() for name in ("a", "b"))
        assert a.index.equals(b.index)
        kappa = vb.metrics.error_consistency(a["response"] == a["shape"], b["response"] == b["shape"])
        assert len(a) == pair["n"]
        assert kappa == pytest.approx(pair["kappa"], rel=0, abs=1e-12)
    assert len(pairs) == 10


FIT = {
    "amplitude": "A",
    "mu": "mu",
    "sigma": "sigma",
    "bandwidth": "bw",
    "center_frequency": "cf",
    "peak_noise_sensitivity": "pns",
}


def accuracy_with(thresholds):
    """Accuracies [5, 7] in percent of a network that has these thresholds."""
    levels = np.arange(5)[::-1, None]  # from the strongest noise; rows are from none to the strongest
    return np.where(levels >= np.asarray(thresholds), 90.0, 10.0)


def check_fit(fit, wanted):
    """A fit against a stored one; whether it is determined."""
    determined = wanted["well_conditioned"]
    assert fit.identifiable == determined
    got = [getattr(fit, name) for name in FIT]
    if determined:
        assert got == pytest.approx([wanted[name] for name in FIT.values()], rel=1e-5, abs=0)
    else:
        assert np.isnan(got).all()
    if wanted["status"] == "ok":
        gaussian = wanted["A"] * np.exp(-((np.arange(7) - wanted["mu"]) ** 2) / (2 * wanted["sigma"] ** 2))
        assert np.abs(fit.curve - gaussian).max() < 1e-3
        assert fit.sse == pytest.approx(wanted["sse"], rel=0, abs=1e-3)
    else:
        assert np.isnan([fit.sse, *fit.curve]).all()
    return determined


def test_thresholds_and_fits_of_published_networks(shared):
    networks = loaded(shared, "channel_fit.json")["networks"].values()
    fits = [vb.metrics.channel_fit(network["accuracy"], SDS) for network in networks]
    assert [fit.thresholds.tolist() for fit in fits] == [network["thresholds"] for network in networks]
    assert sum(check_fit(fit, network["fit"]) for fit, network in zip(fits, networks, strict=True)) == 48


def test_fits_of_synthetic_thresholds(shared):
    cases = loaded(shared, "channel_fit.json")["synthetic"]
    determined = 0
    for case in cases:
        fit = vb.metrics.channel_fit(accuracy_with(case["thresholds"]), SDS)
        assert fit.thresholds.tolist() == case["thresholds"]
        determined += check_fit(fit, case["fit"])
    assert 0 < determined < len(cases)


def test_channels_of_the_study(shared):
    """The thresholds of its 48 models, found back from its table, and the numbers that it prints for them."""
    unique = flagged = 0
    for model in loaded(shared, "study_criticalband_inverse.json")["models"].values():
        for wanted in (model["raw"], model["norm"]):
            fit = vb.metrics.channel_fit(accuracy_with(wanted["thresholds"]), SDS)
            if not wanted["unique"]:
                assert not fit.identifiable
                flagged += 1
            elif fit.identifiable:
                got = [fit.bandwidth, fit.center_frequency, fit.peak_noise_sensitivity]
                assert got == pytest.approx([wanted[name] for name in ("bw", "cf", "pns")], rel=1e-5, abs=0)
                unique += 1
    assert flagged == 27
    assert unique == 69
