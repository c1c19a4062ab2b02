# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The study's table: derived values and correlations as stored, its faults, and a small table made here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import visionbias as vb
from visionbias.analysis import STUDY_BIASES, STUDY_GROUPS, StudyTable, load_study_table, verdict

GROUPS = ("ID", "robustness", "concepts", "adversarial")
STORED = {  # name in the stored correlations -> ours
    "shape-bias": "shape-bias",
    "LPP": "lpp",
    "HPP": "hpp",
    "Spectral Bias": "spectral_bias",
    **{f"{name}_norm": f"metric/criticalband/{name}_norm" for name in ("bw", "cf", "pns")},
    **{name if name == "ID" else name.capitalize(): name for name in GROUPS},
}


@pytest.fixture(scope="module")
def published(shared: Path) -> StudyTable:
    return load_study_table(shared / "golden" / "study_table.csv")


@pytest.fixture(scope="module")
def stored(shared: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((shared / "golden" / "study_correlations.json").read_text())
    return values


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Six models with the study's columns, sound where the published ones are not."""
    rng = np.random.default_rng(0)
    names = [name for members in STUDY_GROUPS.values() for name in members]
    names += [f"metric/bandpass/{side}/0.{i}" for side in ("LFC", "HFC") for i in range(1, 6)]
    names += [f"metric/criticalband/{name}" for name in ("bw", "cf")]
    table = pd.DataFrame(rng.uniform(1, 9, (6, len(names))), columns=names)
    table.insert(0, "model", [f"m{i}" for i in range(6)])
    table.to_csv(tmp_path / "benchmark.csv", index=False)
    return tmp_path / "benchmark.csv"


def test_derived_values(published: StudyTable, stored: dict[str, Any]) -> None:
    table = published.table.set_index("model")
    assert sorted(table.index) == sorted(stored["derived_values"])
    for model, values in stored["derived_values"].items():
        for name, value in values.items():
            assert table.loc[model, STORED[name]] == pytest.approx(value, abs=1e-10)


def test_correlations(published: StudyTable, stored: dict[str, Any]) -> None:
    frame = vb.correlate(published.table, STUDY_BIASES, GROUPS).set_index(["feature", "target", "method"])
    assert len(frame) == 84
    for feature, targets in stored["correlations"].items():
        for target, wanted in targets.items():
            for method, key in (("spearman", "rho"), ("kendall", "tau_b"), ("pearson", "r")):
                found = frame.loc[(STORED[feature], STORED[target], method)]
                assert found["n"] == wanted["n"]
                assert found["rho"] == pytest.approx(wanted[f"{method}_{key}"], abs=1e-10)
                assert found["p"] == pytest.approx(wanted[f"{method}_p"], rel=1e-6)


def test_nine_of_28_signs_flip_without_adversarial_training(published: StudyTable) -> None:
    everyone = vb.correlate(published.table, STUDY_BIASES, GROUPS, methods=["spearman"])
    others = vb.correlate(published.table, STUDY_BIASES, GROUPS, methods=["spearman"], without=["adversarial_training"])
    assert (others["n"] == 33).all()
    assert (everyone["rho"] * others["rho"] < 0).sum() == 9
    told = verdict(everyone, checks={"without adversarial training": others})
    assert str(told).endswith(
        "No bias predicts all of ID, robustness, concepts, adversarial; hpp, spectral_bias: related to each, but not "
        "in one direction."
    )
    assert told.table["reversed_by"].map(bool).sum() == 9


def test_known_faults_are_flagged(published: StudyTable, shared: Path) -> None:
    assert set(published.faults) == {
        *("ID", "adversarial", "top1_acc/imagenet-real", "top1_acc/PGD-40/low"),
        *("metric/criticalband/bw", "metric/criticalband/cf"),
        *(f"metric/criticalband/{name}_norm" for name in ("bw", "cf", "pns")),
    }
    assert published.faults["metric/criticalband/bw_norm"].startswith("13 of 48 models share one value, 4.739")
    assert published.faults["metric/criticalband/pns_norm"].startswith("34 of 48 models share one value, 1:")
    assert "multiple of 1/326" in published.faults["top1_acc/imagenet-real"]
    assert "50,048" in published.faults["adversarial"]
    assert "27 of 48" in published.faults["metric/criticalband/bw"]
    inverse = json.loads((shared / "golden" / "study_criticalband_inverse.json").read_text())["models"]
    degenerate = {model for model, values in inverse.items() if values["raw"].get("degenerate")}
    table = published.table.set_index("model")
    for column in ("metric/criticalband/bw", "metric/criticalband/cf"):
        assert set(table.index[table[column].isna()]) == degenerate
    assert table["metric/criticalband/pns"].notna().all()


def test_a_part_of_the_table_loads(published: StudyTable, shared: Path, tmp_path: Path) -> None:
    lines = (shared / "golden" / "study_table.csv").read_text().splitlines()
    (tmp_path / "part.csv").write_text("\ufeff" + "\n".join(lines[:9]))
    part = load_study_table(tmp_path / "part.csv")
    pd.testing.assert_frame_equal(part.table, published.table.iloc[:8])


def test_sound_numbers_are_not_flagged(drawn: Path) -> None:
    study = load_study_table(drawn)
    assert study.faults == {}
    table = study.table
    assert table["lpp"][2] == pytest.approx(np.mean([table[f"metric/bandpass/LFC/0.{i}"][2] for i in range(1, 6)]))
    assert table["spectral_bias"][1] == pytest.approx(table["hpp"][1] / (table["lpp"][1] + table["hpp"][1]))
    members = ["top1_acc/imagenet-a", "top1_acc/imagenet-c", "top1_acc/imagenet-cbar"]
    np.testing.assert_allclose(table["robustness"], table[members].mean(axis=1), rtol=1e-14)


def test_faults_are_found_in_the_numbers(drawn: Path) -> None:
    table = pd.read_csv(drawn)
    table["top1_acc/imagenet-real"] = 100 * np.arange(200, 206) / 326
    table["top1_acc/PGD-40/low"] = 100 * np.arange(777, 783) / 50048
    table.loc[4, "metric/criticalband/bw"] = 11295.3
    table.to_csv(drawn, index=False)
    study = load_study_table(drawn)
    assert len(study.faults) == 6
    assert study.table["metric/criticalband/cf"].isna().tolist() == [False] * 4 + [True, False]
    table.loc[2, ["top1_acc/imagenet-real", "top1_acc/PGD-40/low"]] = np.nan
    table.to_csv(drawn, index=False)
    assert set(load_study_table(drawn).faults) == set(study.faults)
    assert "of 5 of 5 models" in load_study_table(drawn).faults["ID"]
    table.loc[2, "top1_acc/imagenet-real"] = 71.234  # a model of somebody else's
    table.to_csv(drawn, index=False)
    assert "of 5 of 6 models" in load_study_table(drawn).faults["ID"]


def test_other_tables_are_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match=r"cannot read the table .*absent.csv"):
        load_study_table(tmp_path / "absent.csv")
    pd.read_csv(drawn).drop(columns=["top1_acc/stylized", "model"]).to_csv(drawn, index=False)
    with pytest.raises(vb.DataError, match=r"not the study's table: it lacks model, top1_acc/stylized; wanted"):
        load_study_table(drawn)
    for content in (b"", b"\xff\xfe\x00"):
        drawn.write_bytes(content)
        with pytest.raises(vb.DataError, match="cannot read the table"):
            load_study_table(drawn)
