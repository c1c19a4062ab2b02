# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The study's published table as a run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import visionbias as vb
from visionbias.analysis.groups import STUDY_GROUPS
from visionbias.cli import app

GROUPS = list(STUDY_GROUPS)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six models with the study's columns and one of its faults."""
    rng = np.random.default_rng(0)
    names = [name for members in STUDY_GROUPS.values() for name in members]
    names += [f"metric/bandpass/{side}/0.{i}" for side in ("LFC", "HFC") for i in range(1, 6)]
    names += [f"metric/criticalband/{name}" for name in ("bw", "cf")] + ["shape-bias"]
    values = pd.DataFrame(rng.uniform(1, 9, (6, len(names))), columns=names)
    values["top1_acc/imagenet-real"] = 100.0 * np.arange(6) / 326
    values.insert(0, "model", list("fedcba"))
    values.insert(1, "category", ["x", "y"] * 3)
    values.to_csv(tmp_path / "benchmark.csv", index=False)
    return tmp_path / "benchmark.csv"


def test_what_of_a_run_it_has(table: Path) -> None:
    run = vb.open_table(table)
    assert run.model_ids == list("abcdef")
    assert run.biases == ("shape-bias", "lpp", "hpp", "spectral_bias")
    assert run.benchmarks == {group: (group,) for group in GROUPS}
    summary = run.summary()
    assert list(summary.columns[:4]) == ["model", "status", "n", "bad"]
    assert summary["model"].tolist() == list("abcdef")
    found = vb.correlate(summary, run.biases, GROUPS, given="top1_acc/imagenet")
    assert (found["n"] == 6).all()


def test_the_page_has_figures_verdict_and_faults_and_nothing_of_records(table: Path, tmp_path: Path) -> None:
    prices = pd.DataFrame({"model": list("abcdef"), "price": range(6), "clicks": range(6, 0, -1)})
    run = vb.open_table(table)
    page = run.report(tmp_path / "page.html", columns=prices, features=["price"]).read_text(encoding="utf-8")
    for name in ("summary", "scatter", "correlations", "verdict"):
        assert f'id="{name}"' in page
    for name in ("worst", "stimuli", "provenance", "spectral"):
        assert f'id="{name}"' not in page
    assert "a multiple of 1/326, of 6 of 6 models" in page
    assert "price: " in page
    assert "own: clicks" in page
    with pytest.raises(vb.DataError, match="features must be names of numbers in columns="):
        run.report(tmp_path / "page.html", features=["price"])


def test_on_the_command_line(table: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["report", str(table)])
    assert said.exit_code == 0
    assert said.output.split()[:3] == ["model", "n", "shape-bias"]
    said = CliRunner().invoke(app, ["report", str(table), "--html", str(tmp_path / "page.html")])
    assert said.output == f"Report: {tmp_path / 'page.html'}\n"


def test_the_published_table(shared: Path, tmp_path: Path) -> None:
    run = vb.open_table(shared / "golden" / "study_table.csv")
    page = run.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No bias predicts all of ID, robustness, concepts, adversarial" in page
    assert page.count("not determined for 27 of 48 models") == 2


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "kpi.csv").write_text("model,clicks\na,1\n")
    with pytest.raises(vb.DataError, match="is not the study's table: it lacks"):
        vb.open_table(tmp_path / "kpi.csv")
    with pytest.raises(vb.RunError, match="path must be a path, got 3"):
        vb.open_table(3)  # type: ignore[arg-type]
