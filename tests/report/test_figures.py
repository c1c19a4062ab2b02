# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures as files, drawn by Kaleido in a browser."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image
from report_models import NAMES

import visionbias as vb

drawn = pytest.mark.skipif(
    find_spec("kaleido") is None or not any(map(shutil.which, NAMES)),
    reason=f"no Kaleido, or none of {', '.join(NAMES)} on the PATH",
)


def texts(path: Path) -> str:
    return " ".join("".join(node.itertext()) for node in ElementTree.parse(path).iter() if node.tag.endswith("}text"))


@pytest.fixture(scope="module")
def files(partial_run: vb.Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return partial_run.figures(tmp_path_factory.mktemp("figures") / "new")


@drawn
def test_a_file_a_figure_and_a_pair(files: list[Path], partial_run: vb.Run) -> None:
    targets = [name for names in partial_run.benchmarks.values() for name in names]
    pairs = [f"scatter-{x}-{y}" for x in partial_run.biases for y in targets if x != y]
    channels = [f"channel-{model}" for model in partial_run.model_ids]
    assert [path.stem for path in files] == ["spectral", *channels, *pairs, "correlations"]
    assert sorted(files) == sorted(files[0].parent.iterdir())
    for path in files:
        assert ElementTree.parse(path).getroot().get("width") == "900"


@drawn
def test_figures_say_what_they_show(files: list[Path], partial_run: vb.Run) -> None:
    by_name = {path.stem: texts(path) for path in files}
    own = "partial: ImageNet-V2 matched-frequency (10 of 10,000 images)"
    for name, shown in by_name.items():
        assert own in shown, name
    assert "model: net-3" in by_name["channel-net-3"]
    assert "partial: ImageNet-Sketch (10 of 50,889 images)" in by_name["scatter-shape_reliance-sketch[partial]"]
    assert "ρ" in by_name["scatter-shape_reliance-sketch[partial]"]
    assert all(model in by_name["spectral"] for model in partial_run.model_ids)


@drawn
def test_png_on_white_from_the_command_line(rich: vb.Run, tmp_path: Path) -> None:
    """Also of models whose names are code, or no names of files."""
    words = ["report", str(rich.folder), "--figures", str(tmp_path / "png"), "--format", "png"]
    done = subprocess.run([sys.executable, "-m", "visionbias", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "png").iterdir())
    assert done.stdout == f"Figures: {len(files)} in {tmp_path / 'png'}\n"
    assert len([path for path in files if path.name.startswith("channel-")]) == len(rich.model_ids)
    for path in files:
        with Image.open(path) as image:
            pixels = image.convert("RGB")
            assert pixels.width == 1800
            assert pixels.getpixel((2, pixels.height - 2)) == (255, 255, 255)
            assert len(pixels.getcolors(2**24) or ()) > 20, path.name


@drawn
def test_without_a_browser_one_message_names_what_is_missing(rich: vb.Run, tmp_path: Path) -> None:
    words = ["report", str(rich.folder), "--figures", str(tmp_path / "png")]
    absent = os.environ | {"BROWSER_PATH": str(tmp_path / "chrome")}
    done = subprocess.run(
        [sys.executable, "-m", "visionbias", *words], capture_output=True, text=True, check=False, env=absent
    )
    assert done.returncode == 1
    assert "Chrome or Chromium on the PATH or at $BROWSER_PATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "png").exists()


def test_without_kaleido_one_message_names_the_extra(
    rich: vb.Run, summary: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(vb.RunError, match=r"need Kaleido 1 and a browser; pip install 'visionbias\[figures\]'"):
        rich.figures(tmp_path / "new", summary=summary)
    assert not (tmp_path / "new").exists()


def test_options_that_cannot_be_used(rich: vb.Run, summary: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(vb.RunError, match="format must be one of svg, png, got 'pdf'"):
        rich.figures(tmp_path, format="pdf", summary=summary)  # type: ignore[arg-type]
