# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The README's study file, and its code, against what is there."""

import re
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import visionbias as vb
from visionbias.engine.study_file import read_study

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the study file names."""
    for image in ("photos/cat/0.png", "photos/dog/0.png", "textures/cat/0.png", "textures/dog/0.png"):
        path = tmp_path / image
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "photos.csv").write_text("path,label\ncat/0.png,cat\ndog/0.png,dog\n")
    return tmp_path


def test_the_study_file_is_one(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(blocks("toml")[0])
    study = read_study(path)
    assert study.max_bad == 5
    assert [probe.registered_as for probe in study.probes] == ["accuracy", "spectral_bias", "shape_bias"]


def test_more_keys_are_keys(folder: Path) -> None:
    first, more = blocks("toml")
    more = more.replace("/data/photos", str(folder / "photos"))
    unchanged = "\n".join(line for line in first.splitlines() if not line.startswith("data ="))
    path = folder / "study.toml"
    path.write_text(more + unchanged)
    study = read_study(path)
    assert study.cache == folder / tomllib.loads(more)["cache"]
    assert len(study.data.samples) == 2


def test_every_name_is_public() -> None:
    code = "\n".join(blocks("python"))
    names = set(re.findall(r"\bvb\.((?:metrics\.)?\w+)", code))
    assert len(names) > 12
    for name in names:
        value = vb
        for part in name.split("."):
            value = getattr(value, part)
