# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The README's study file, and its code, against what is there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_folders import small_copies, val_paths, write_images
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

import visionbias as vb
import visionbias.demo.study as demo
from visionbias.demo.legend import COLUMNS
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


# Option of `Generalization` -> the place that the README names.
BENCHMARKS = {
    "real": "real.json",
    "imagenet_v2": "imagenetv2-matched-frequency-format-val",
    "imagenet_a": "imagenet-a",
    "imagenet_r": "imagenet-r",
    "sketch": "imagenet-sketch",
    "stylized": "stylized-16",
    "imagenet_c": "imagenet-c",
    "imagenet_c_bar": "imagenet-c-bar",
}


def thousand(x: Tensor) -> Tensor:
    """Logits of 1000 classes that vary with the image."""
    seen = adaptive_avg_pool2d(x, 8).flatten(1)
    return seen @ torch.randn(seen.shape[1], 1000, generator=torch.Generator().manual_seed(0))


def test_the_code_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few images, a model without weights to fetch, no GPU, and the responses of one person."""
    rng = np.random.default_rng(0)
    cues = [f"{shape}/{shape}{i}-{texture}{i}.png" for i, shape, texture in ((1, "cat", "dog"), (2, "dog", "cat"))]
    copies = small_copies(tmp_path / "copies")
    write_images(tmp_path / "imagenet/val", val_paths()[::3][:2], 0)
    for option, place in BENCHMARKS.items():
        (tmp_path / place).symlink_to(copies[option])
    write_images(tmp_path / "night", ["cat/0.jpg", "dog/0.jpg"], 0)
    for cue in cues:
        path = tmp_path / "cue-conflict" / cue
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)).save(path)
    raw = tmp_path / "raw-data/style-transfer-512-nomask-experiment"
    raw.mkdir(parents=True)
    rows = [f"subject-01,cat,{cue.split('/')[0]},0001_cr_s01_{Path(cue).name}" for cue in cues]
    (raw / "subject-01.csv").write_text("\n".join(["subj,object_response,category,imagename", *rows]) + "\n")
    (tmp_path / "kpi.csv").write_text("model,clicks\nmine,3\n")
    monkeypatch.chdir(tmp_path)

    x = torch.rand(2, 3, 224, 224)
    names: dict[str, Any] = {"thousand": thousand, "x": x, "shape": x, "texture": x.flip(0), "ids": ["a", "b"]}
    names |= {"model": thousand, "labels": torch.tensor([0, 1])}
    code = "\n".join(blocks("python"))
    code, models = re.subn(r"    models=\[.*\],\n", '    models=[("mine", thousand)],\n', code)
    code, devices = re.subn('device="cuda"', 'device="cpu"', code)
    assert (models, devices) == (1, 1)
    code = code.replace("vb.Generalization(", "vb.Generalization(allow_partial=True, ")
    exec(code, names)
    assert len(names["both"]) == 2
    assert -1 <= names["kappa"] <= 1
    assert names["y"].shape == x.shape
    assert set(names["found"]["target"]) == {"top1", "clicks"}
    assert (tmp_path / "worst.csv").is_file()


def test_columns_that_the_demo_explains_are_those_of_the_table() -> None:
    (table,) = re.findall(r"\| probe \|.*?\n\n", README, re.DOTALL)
    sets = {name for group in demo.BENCHMARKS.values() for name in group}
    names = {name for names in COLUMNS for name in names.split(", ")} - sets
    assert [name for name in names if f"{name.removeprefix('...')}`" not in table] == []


def test_columns_of_the_table_are_those_of_a_summary(tmp_path: Path) -> None:
    """And each column of a summary stands in the table, alone or as one of a kind."""
    for i, name in enumerate(("ape", "bee", "cow", "dog", "eel", "fox")):
        for folder, texture in (("photos", ""), ("cues", f"-{'fox' if name == 'ape' else 'ape'}1")):
            path = tmp_path / folder / name / f"{name}1{texture}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (224, 224), (40 * i,) * 3).save(path)
    (tmp_path / "photos.csv").write_text("path,label,group\nphotos/ape/ape1.png,0,left\nphotos/fox/fox1.png,5,right\n")
    probes = [vb.SpectralBias(), vb.CriticalBand(), vb.ShapeBias(tmp_path / "cues"), vb.FeatureSuppression()]
    probes.append(vb.PGD(steps=1, bands=[vb.lowpass(0.2)]))

    def summary(data: vb.ImageFolder | vb.CsvManifest, classes: int, *probes: Any) -> set[str]:
        study = vb.Study([("m", lambda x: thousand(x)[:, :classes])], data, probes, device="cpu", decode="pillow")
        return set(study.run(tmp_path / f"run{classes}", progress=False).summary().columns)

    found = summary(vb.ImageFolder(tmp_path / "photos"), 6, vb.Accuracy(), *probes)
    found |= summary(vb.CsvManifest(tmp_path / "photos.csv"), 2, vb.Accuracy())
    (table,) = re.findall(r"\| probe \|.*?\n\n", README, re.DOTALL)
    named = re.findall(r"`([a-z][\w<>*\[\]]*)`", table)
    kinds = [re.sub(r"<\w+>|\\\*", r"[\\w.-]+", re.escape(name)) for name in named]
    known = re.compile(f"(model|status|n|bad|precision|({'|'.join(kinds)})(_low|_high)?)")
    assert [name for name in sorted(found) if not known.fullmatch(name)] == []
    assert [kind for kind in kinds if not any(re.fullmatch(kind, name) for name in found)] == []
