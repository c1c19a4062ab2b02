# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What is refused before any work is done, by one error of the family that names all that is wrong."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import visionbias as vb
from visionbias.datasets.base import Dataset
from visionbias.engine.study_file import read_study
from visionbias.types import Sample

Make = Callable[..., vb.Study]


def test_all_models_that_cannot_be_used_are_named(make_study: Make, tiny_net: type[nn.Module], tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    models = [
        vb.Checkpoint(tmp_path / "absent.safetensors", arch="resnet18"),
        ("fine", tiny_net(1)),
        vb.Checkpoint(tmp_path / "bad.safetensors", arch="resnet18"),
    ]
    with pytest.raises(vb.CheckpointError) as caught:
        make_study(models=models).run(tmp_path / "run", progress=False)
    first, *listed = str(caught.value).splitlines()
    assert first.startswith("2 of 3 models cannot be used")
    assert [line.split(":")[0].strip() for line in listed] == ["absent", "bad"]
    assert not (tmp_path / "run").exists()


def test_all_models_with_other_classes_are_named(make_study: Make, tmp_path: Path) -> None:
    def of(classes: int) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: x.mean(dim=(2, 3)).repeat(1, 3)[:, :classes]

    with pytest.raises(
        vb.DataError, match=r"2 of 3 models(?s:.*)five: images0:.* 5 classes(?s:.*)seven: images0:.* 7 classes"
    ):
        make_study(models=[("five", of(5)), ("three", of(3)), ("seven", of(7))]).run(tmp_path / "run", progress=False)


@pytest.mark.parametrize("later", [False, True])
def test_a_model_that_ends_the_process_fails_alone(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, later: bool
) -> None:
    calls = []

    def leaves(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) > 2 * later:  # two calls tell what it is
            raise SystemExit(3)
        return x.mean(dim=(2, 3))

    study = make_study(models=[("leaves", leaves), ("first", tiny_net(1))], probes=[vb.Accuracy()])
    with pytest.raises(vb.VisionBiasError, match=r"leaves.*SystemExit: 3"):
        study.run(tmp_path / "run", progress=False)
    if later:
        summary = vb.open_run(tmp_path / "run").summary().set_index("model")
        assert summary["status"].to_dict() == {"first": "complete", "leaves": "failed"}


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (vb.CriticalBand(), r"crops of 32 x 32 pixels: critical_band"),
        (vb.PGD(bands=vb.bandpass(0.001, 0.002)), r"crops of 32 x 32 pixels: pgd: band .* holds no frequency"),
        (vb.FeatureSuppression(grids=(2, 5)), r"crops of 32 x 32 pixels: .*grid must divide the sides"),
    ],
)
def test_crops_of_the_wrong_size_are_refused_before_decoding(
    make_study: Make, tmp_path: Path, probe: object, message: str
) -> None:
    with pytest.raises(vb.DataError, match=message):
        make_study(probes=[probe], cache=tmp_path / "cache").run(tmp_path / "run", progress=False)
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", ["x", None, math.nan, math.inf, -1.0, True, 10**400, np.zeros(2)])
def test_save_interval_is_checked(make_study: Make, tmp_path: Path, value: object) -> None:
    with pytest.raises(vb.RunError, match=r"save_interval_s must be a (finite )?number"):
        make_study().run(tmp_path / "run", progress=False, save_interval_s=value)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["x" * 201, "é" * 40, "\ud800"])
def test_names_of_data_that_no_file_can_have(make_study: Make, image_folder: Path, name: str) -> None:
    with pytest.raises(vb.RunError, match=r"data set .*(at most 200 bytes|UTF-8)"):
        make_study(data=vb.ImageFolder(image_folder, name=name))


def test_the_longest_name_of_data_works(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    study = make_study(data=vb.ImageFolder(image_folder, name="x" * 200), probes=[vb.Accuracy()])
    assert set(study.run(tmp_path / "run", progress=False).summary()["status"]) == {"complete"}


def test_ids_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match="is no UTF-8"):
        Dataset("set", tmp_path, (Sample("\ud800.png", tmp_path, 0),), ("a",))


def test_paths_that_are_none(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    study = make_study()
    for attempt in (
        lambda path: study.run(path, progress=False),
        study.plan,
        vb.open_run,
        read_study,
        lambda path: make_study(cache=path),
        lambda path: make_study(models=[vb.Checkpoint(path, arch="resnet18")]).run(tmp_path / "run", progress=False),
        lambda path: make_study(data=path),
        vb.CsvManifest,
    ):
        with pytest.raises(vb.VisionBiasError):
            attempt(f"{tmp_path}/nu\0ll.safetensors")
    for attempt in (study.run, vb.open_run, read_study):
        with pytest.raises(vb.RunError, match="must be a path, got 5"):
            attempt(5)


def test_study_file_that_is_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "deep.toml").write_text("models = " + "[" * 100_000)
    with pytest.raises(vb.RunError, match=r"deep\.toml is no study file: it is nested"):
        read_study(tmp_path / "deep.toml")


def test_errors_of_what_a_study_file_describes_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('models = ["timm:resnet18"]\ndata = "absent"\nprobes = ["accuracy"]')
    with pytest.raises(vb.DataError, match=r"^.*mine\.toml: wanted a folder of images"):
        read_study(tmp_path / "mine.toml")


def test_conflict_images_that_are_all_left_out(make_study: Make, tmp_path: Path) -> None:
    root = tmp_path / "cues"
    for name in ("cat1-cat2", "dog1-dog2", "cat1-dog1", "dog1-cat1"):
        (root / name[:3]).mkdir(parents=True, exist_ok=True)
        path = root / name[:3] / f"{name}.png"
        Image.new("RGB", (32, 32)).save(path)
        if name[:3] != name[5:8]:
            path.write_bytes(b"")
    cues = vb.CueConflictFolder(root)
    model = ("two", lambda x: x.mean(dim=(2, 3))[:, :2])
    study = make_study(
        models=[model], data=cues, probes=[vb.ShapeBias(vb.CueConflictFolder(root, name="c"))], max_bad=2
    )
    (row,) = study.run(tmp_path / "run", progress=False).summary().to_dict("records")
    assert row["shape_bias_n"] == 0
    assert all(math.isnan(row[name]) for name in ("shape_bias", "shape_bias_low", "shape_bias_high", "cue_accuracy"))
