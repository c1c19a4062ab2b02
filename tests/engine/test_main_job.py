# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The main job on real images: 256 cue-conflict PNGs, checkpoints from files, 23 conditions, DALI decode."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

import visionbias as vb

pytest.importorskip("nvidia.dali", reason="DALI is not installed")


def weights(seed: int) -> dict[str, torch.Tensor]:
    """A small timm ResNet, untrained, from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state: dict[str, torch.Tensor] = timm.create_model("test_resnet", pretrained=False).state_dict()
        return state


@pytest.fixture(scope="module")
def run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    folder = tmp_path_factory.mktemp("main")
    save_file(weights(1), folder / "one.safetensors")
    save_file(weights(2), folder / "two.safetensors")
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights(2).items()}}, folder / "wrapped.pt")
    return vb.Study(
        models=[
            vb.Checkpoint(folder / "one.safetensors", arch="test_resnet"),
            vb.Checkpoint(folder / "two.safetensors", arch="test_resnet"),
            vb.Checkpoint(folder / "wrapped.pt", arch="test_resnet"),
        ],
        data=vb.CueConflictFolder(shared / "data" / "cue-conflict"),
        probes=[vb.Accuracy(), vb.SpectralBias()],
        device="cpu",
        decode="dali",
    ).run(folder / "run", progress=False)


def test_every_record_is_there(run: vb.Run) -> None:
    frame = run.records().to_table().to_pandas()
    assert len(frame) == 3 * 23 * 256
    assert not frame.duplicated(["model", "condition", "sample_id"]).any()
    assert set(frame["model"]) == {"one", "two", "wrapped"}
    assert frame["label"].value_counts().to_dict() == dict.fromkeys(range(16), 16 * 3 * 23)
    assert "airplane/airplane1-elephant1.png" in set(frame["sample_id"])
    assert frame["pred"].between(0, 15).all()
    assert frame["p_label"].between(0, 1).all()


def test_the_prefixed_file_is_the_same_model(run: vb.Run) -> None:
    models = run.manifest["study"]["models"]
    assert models["wrapped"]["weights_sha256"] == models["two"]["weights_sha256"]
    assert models["one"]["weights_sha256"] != models["two"]["weights_sha256"]
    summary = run.summary().set_index("model")
    assert summary.loc["wrapped"].equals(summary.loc["two"])


def test_dali_decoded_it(run: vb.Run) -> None:
    assert run.manifest["study"]["models"]["one"]["decoder"].startswith("dali-")


def test_numbers_come_from_the_records(run: vb.Run) -> None:
    frame = run.records().to_table().to_pandas().query("model == 'one' and condition == 'clean'")
    summary = run.summary().set_index("model")
    assert summary.loc["one", "top1"] == (frame["pred"] == frame["label"]).mean()
    assert set(summary["status"]) == {"complete"}
    assert (summary["n"] == 256).all()
