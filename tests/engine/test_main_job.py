# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The main job on real images: 256 cue-conflict PNGs, checkpoints from files, 24 conditions, DALI decode."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file

import visionbias as vb
from visionbias.decode.pillow import available_threads

pytest.importorskip("nvidia.dali", reason="DALI is not installed")


def weights(seed: int) -> dict[str, torch.Tensor]:
    """A small timm ResNet, untrained, from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state: dict[str, torch.Tensor] = timm.create_model("test_resnet", pretrained=False).state_dict()
        return state


@pytest.fixture(autouse=True, scope="module")
def _all_cores(_one_thread: None) -> Iterator[None]:
    """Images of 224 pixels are worth more than the one thread of the other tests."""
    torch.set_num_threads(available_threads())
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weight files; the third holds the second's tensors as `DataParallel` saves them."""
    folder = tmp_path_factory.mktemp("main")
    save_file(weights(1), folder / "one.safetensors")
    save_file(weights(2), folder / "two.safetensors")
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights(2).items()}}, folder / "wrapped.pt")
    return folder


@pytest.fixture(scope="module")
def study_of(shared: Path, folder: Path) -> Callable[..., vb.Study]:
    """The study of some of the files."""

    def make(files: list[str], *probes: object) -> vb.Study:
        models = [vb.Checkpoint(folder / file, arch="test_resnet") for file in files]
        data = vb.CueConflictFolder(shared / "data" / "cue-conflict")
        return vb.Study(models, data, probes, decode="dali", device="cpu")

    return make


@pytest.fixture(scope="module")
def run(study_of: Callable[..., vb.Study], shared: Path, folder: Path) -> vb.Run:
    cues = vb.ShapeBias(vb.CueConflictFolder(shared / "data" / "cue-conflict", name="cues"))
    study = study_of(["one.safetensors", "two.safetensors"], vb.Accuracy(), vb.SpectralBias(), cues)
    return study.run(folder / "run", progress=False)


def clean_records(run: vb.Run, model: str) -> pd.DataFrame:
    """Records of the clean images, sorted, without the model's name."""
    frame = run.records().to_table().to_pandas()
    frame = frame[(frame["model"] == model) & (frame["condition"] == "clean")]
    return frame.drop(columns="model").sort_values("sample_id", ignore_index=True)


def test_every_record_is_there(run: vb.Run) -> None:
    frame = run.records().to_table().to_pandas()
    assert len(frame) == 2 * 24 * 256
    assert not frame.duplicated(["model", "condition", "sample_id"]).any()
    assert set(frame["model"]) == {"one", "two"}
    assert frame["label"].value_counts().to_dict() == dict.fromkeys(range(16), 16 * 2 * 24)
    assert "airplane/airplane1-elephant1.png" in set(frame["sample_id"])
    assert frame["pred"].between(0, 15).all()
    assert frame["p_label"].between(0, 1).all()


def test_the_prefixed_file_is_the_same_model(study_of: Callable[..., vb.Study], folder: Path, run: vb.Run) -> None:
    other = study_of(["wrapped.pt"], vb.Accuracy()).run(folder / "wrapped", progress=False)
    models = run.manifest["study"]["models"]
    assert other.manifest["study"]["models"]["wrapped"]["weights_sha256"] == models["two"]["weights_sha256"]
    assert models["one"]["weights_sha256"] != models["two"]["weights_sha256"]
    pd.testing.assert_frame_equal(clean_records(other, "wrapped"), clean_records(run, "two"), check_exact=True)


def test_dali_decoded_it(run: vb.Run) -> None:
    for data in run.manifest["study"]["data"].values():
        assert data["models"]["one"]["decoder"].startswith("dali-")


def test_shape_bias_is_that_of_the_decisions(run: vb.Run) -> None:
    frame = run.records().to_table().to_pandas()
    rows = frame[(frame["model"] == "one") & (frame["condition"] == "cues/clean")]
    cues = rows["sample_id"].str.extract(r"/([a-z]+)\d+-([a-z]+)\d+")
    decided = [vb.metrics.CATEGORIES16[index] for index in rows["decision16"].astype(int)]
    assert decided == [vb.metrics.CATEGORIES16[index] for index in rows["pred"]]  # all 16 categories are in the data
    wanted = vb.metrics.shape_bias(cues[0].tolist(), cues[1].tolist(), decided)
    summary = run.summary().set_index("model").loc["one"]
    assert summary["shape_bias_n"] == wanted.n_shape + wanted.n_texture
    assert summary["cue_accuracy_n"] == wanted.n == 240
    assert summary["cue_accuracy"] == wanted.cue_accuracy
    assert summary["shape_bias"] == pytest.approx(wanted.shape_bias, nan_ok=True)


def test_numbers_come_from_the_records(run: vb.Run) -> None:
    frame = clean_records(run, "one")
    summary = run.summary().set_index("model")
    assert summary.loc["one", "top1"] == (frame["pred"] == frame["label"]).mean()
    assert set(summary["status"]) == {"complete"}
    assert (summary["n"] == 256).all()
