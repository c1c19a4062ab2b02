# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line as a user types it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.core import TyperGroup
from typer.testing import CliRunner

import visionbias
import visionbias.models.catalog
from visionbias.cli import app
from visionbias.engine.run_folder import locked

STUDY = """
models = [{ path = "net.safetensors", arch = "test_resnet" }]
data = "images"
probes = ["accuracy", { probe = "spectral_bias", cutoffs = [0.1, 0.5] }]
preprocessing = { resize = 36, crop = 32 }
decode = "pillow"
device = "cpu"
"""


def typed(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visionbias", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"images/{name}/{i}.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", num_classes=2).state_dict(), folder / "net.safetensors")
    path = folder / "study.toml"
    path.write_text(STUDY)
    return path


def test_plan_run_report(study_file: Path) -> None:
    out = study_file.parent / "run"
    planned = typed("plan", study_file, "--out", out)
    assert planned.returncode == 0, planned.stderr
    assert "1 model x 5 conditions x 6 images = 30 forward passes" in planned.stdout

    ran = typed("run", study_file, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert "net" in ran.stdout
    assert "spectral_bias" in ran.stdout

    reported = typed("report", out)
    assert reported.stdout == ran.stdout
    expected = visionbias.open_run(out).summary()
    from_csv = list(csv.DictReader(StringIO(typed("report", out, "--format", "csv").stdout)))
    from_json = json.loads(typed("report", out, "--format", "json").stdout)
    for rows in (from_csv, from_json):
        assert list(rows[0]) == list(expected.columns)
        assert [row["model"] for row in rows] == ["net"]
        for name in expected.select_dtypes("number"):
            read = [np.nan if row[name] in ("", None) else float(row[name]) for row in rows]
            np.testing.assert_array_equal(read, expected[name])  # to the bit

    page = study_file.parent / "pages" / "report.html"
    told = typed("report", out, "--html", page)
    assert told.stdout == f"Report: {page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    (study_file.parent / "kpi.csv").write_text("model,clicks,price,size\nnet,3,2,1\n")
    columns = ("--columns", study_file.parent / "kpi.csv", "--feature", "price", "--feature", "size")
    assert typed("report", out, "--html", page, *columns).stdout == f"Report: {page}\n"
    refused = typed("report", out, "--html", page, *columns, "--feature", "cost")
    assert refused.returncode == 1
    assert "got cost; there are clicks, price, size" in refused.stderr

    again = typed("run", study_file, "--out", out)
    assert "nothing to do" in again.stderr
    assert again.stdout == ran.stdout


def test_an_error_is_one_message(study_file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(STUDY.replace("decode", "dekode"))
    answer = typed("plan", wrong)
    assert answer.returncode == 1
    assert "dekode: unknown key; allowed: models, data" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_report_of_no_run(tmp_path: Path) -> None:
    answer = typed("report", tmp_path / "absent")
    assert answer.returncode == 1
    assert "holds no run" in answer.stderr


def test_shard_is_checked(study_file: Path, tmp_path: Path) -> None:
    answer = typed("run", study_file, "--out", tmp_path / "run", "--shard", "one")
    assert answer.returncode != 0
    assert "must look like 0/4" in answer.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_ctrl_c_is_one_line_and_the_run_goes_on(study_file: Path, tmp_path: Path) -> None:
    """The run waits for its folder, which another process holds, when it is interrupted."""
    out, cache = tmp_path / "run", tmp_path / "cache"
    command = [sys.executable, "-m", "visionbias", "run", str(study_file), "--out", str(out)]
    environment = os.environ | {"VISIONBIAS_CACHE": str(cache)}

    def hear_signals() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background of a shell is deaf to it

    with locked(out):
        process = subprocess.Popen(
            command, env=environment, stdout=PIPE, stderr=PIPE, text=True, preexec_fn=hear_signals
        )
        while process.poll() is None and not list(cache.glob("crops/*/manifest.json")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines() == ["interrupted; what was finished is kept, and the same command goes on from there"]
    assert typed("run", study_file, "--out", out).returncode == 0


def test_ctrl_c_promises_no_resumption_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(pattern: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(visionbias.models.catalog, "list_models", interrupted)
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 130
    assert result.stderr.splitlines() == ["interrupted"]


def test_ctrl_c_before_a_command_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the commands are imported, and while the command line is read."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, "make_context", interrupted)
    result = CliRunner().invoke(app, ["models"])
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    script = """
import sys
from visionbias.__main__ import main
class Interrupted:
    def find_spec(self, *_):
        raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
main()
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (130, "interrupted\n")


def test_version() -> None:
    answer = typed("--version")
    assert (answer.returncode, answer.stdout) == (0, f"visionbias {visionbias.__version__}\n")


def test_report_of_an_unfinished_run(study_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert typed("run", study_file, "--out", out).returncode == 0
    next(out.rglob("condition=clean/*.parquet")).unlink()
    reported = typed("report", out)
    assert reported.returncode == 0, reported.stderr
    assert "incomplete" in reported.stdout
    assert "unfinished: 24 of 30 forward passes are done (80.0 %)" in reported.stdout
    assert "unfinished" not in typed("report", out, "--format", "csv").stdout


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--html", "report.html", "--format", "csv"), "give one of them"),
        (("--columns", "kpi.csv"), "goes with --html or --figures"),
        (("--html", "report.html", "--feature", "price"), "--feature goes with --columns"),
        (("--figures", "figures", "--format", "csv"), "--figures writes svg or png"),
        (("--format", "png"), "--format png goes with --figures"),
        (("--html", "report.html", "--format", "svg"), "--format svg goes with --figures"),
        (("--format", "xml"), "'table', 'csv', 'json', 'svg', 'png'"),
    ],
)
def test_options_of_report_that_do_not_fit(words: tuple[str, ...], fault: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path), *words], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 2
    assert fault in result.stderr


def test_models_of_the_study_are_listed_with_category_and_state(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path))
    lines = typed("models", "study:*moco*").stdout.splitlines()
    assert len(lines) == 3
    assert all("contrastive" in line and "needs download" in line for line in lines)


def test_models_lists_names() -> None:
    answer = typed("models", "torchvision:resnet18")
    assert answer.returncode == 0
    assert "torchvision:resnet18" in answer.stdout
    assert answer.stderr == "names that match 'torchvision:resnet18': 1; '*' lists all\n"
