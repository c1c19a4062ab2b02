# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole study: its records, its numbers, and what does not change them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from run_folders import records_of
from torch import Tensor, nn

import visionbias as vb
import visionbias.engine.loop
from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.engine.inputs import render_batch

Make = Callable[..., vb.Study]


@pytest.fixture(scope="module")
def reference(make_study: Make, tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    """The run that the variants are compared with."""
    return make_study().run(tmp_path_factory.mktemp("reference") / "run", progress=False)


def test_records_hold_every_model_condition_and_sample_once(reference: vb.Run) -> None:
    frame = records_of(reference)
    assert len(frame) == 2 * 23 * 37
    assert not frame.duplicated(["model", "condition", "sample_id"]).any()
    assert frame.groupby(["model", "condition"])["sample_id"].nunique().eq(37).all()
    assert frame["p_label"].between(0, 1).all()
    assert ((frame["margin"] > 0) == (frame["pred"] == frame["label"])).all()
    assert frame["in_top5"].all()  # three classes
    assert frame["pred"].nunique() > 1


def test_records_agree_with_a_plain_loop(reference: vb.Run, image_folder: Path, tiny_net: type[nn.Module]) -> None:
    """The engine against the obvious program: decode, filter, normalize, forward, one image at a time."""
    from torchvision.transforms import v2

    model = tiny_net(2).eval()
    data = vb.ImageFolder(image_folder)
    crop = v2.Compose([v2.Resize(36, antialias=True), v2.CenterCrop(32)])
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    frame = records_of(reference).set_index(["model", "condition", "sample_id"])
    for sample in data.samples[::5]:
        x = torch.from_numpy(np.array(crop(Image.open(sample.path).convert("RGB")))).permute(2, 0, 1) / 255
        radius = int(0.3 * 16)
        spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(1, 2))
        mask = torch.zeros(32, 32)
        mask[16 - radius : 16 + radius, 16 - radius : 16 + radius] = 1
        low = torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask, dim=(1, 2))).real.clip(0, 1)
        for condition, pixels in (("clean", x), ("lowpass-0.3", low)):
            normalized = (pixels - mean[:, None, None]) / std[:, None, None]
            with torch.no_grad():
                probability = model(normalized[None]).softmax(dim=1)[0]
            row = frame.loc[("second", condition, sample.id)]
            assert row["pred"] == int(probability.argmax())
            assert row["p_label"] == pytest.approx(float(probability[sample.label]), abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(reference: vb.Run, make_study: Make, tmp_path: Path, batch_size: int) -> None:
    run = make_study(batch_size=batch_size).run(tmp_path / "run", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


def test_three_shards_are_the_whole(reference: vb.Run, make_study: Make, tmp_path: Path) -> None:
    for shard in ((2, 3), (0, 3), (1, 3)):
        run = make_study().run(tmp_path / "run", shard=shard, progress=False)
        if shard != (1, 3):
            assert set(run.summary()["status"]) == {"incomplete"}
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


def test_pillow_twice_is_the_same(reference: vb.Run, make_study: Make, tmp_path: Path) -> None:
    run = make_study(cache=tmp_path / "cache").run(tmp_path / "run", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)


def test_an_image_that_changes_while_crops_are_not_kept(
    make_study: Make, image_folder: Path, tmp_path: Path, tiny_net: type[nn.Module]
) -> None:
    """What was measured before is kept."""
    images = tmp_path / "images"
    shutil.copytree(image_folder, images)
    victim = sorted(images.rglob("*.png"))[-1]
    net = tiny_net(1)

    def model(x: Tensor) -> Tensor:
        if list(tmp_path.glob("cache/*/digests.u8")):  # all images are known to be usable
            victim.write_bytes(b"another image")
        return net(x)

    study = make_study(models=[("first", model)], data=images, cache=tmp_path / "cache", cache_bytes=0)
    with pytest.raises(vb.DataError, match=rf"{victim.name}: wanted the image that it was when the run began, got"):
        study.run(tmp_path / "run", progress=False)
    assert len(vb.open_run(tmp_path / "run").records().to_table()) == 4 * 8 * 23


def test_models_do_not_influence_one_another(
    reference: vb.Run, make_study: Make, tmp_path: Path, tiny_net: type[nn.Module]
) -> None:
    run = make_study(models=[("second", tiny_net(2))]).run(tmp_path / "run", progress=False)
    alone = records_of(run)
    together = records_of(reference).query("model == 'second'").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_summary_is_computed_from_the_records(reference: vb.Run) -> None:
    summary = reference.summary()
    assert summary["model"].tolist() == ["first", "second"]
    assert set(summary["status"]) == {"complete"}
    assert (summary["n"] == 37).all()
    assert (summary["bad"] == 0).all()
    for name in ("top1", "spectral_bias", "lpp", "hpp"):
        assert (summary[f"{name}_low"] <= summary[name]).all()
        assert (summary[name] <= summary[f"{name}_high"]).all()
    frame = records_of(reference).query("model == 'first'")
    correct = (frame["pred"] == frame["label"]).groupby(frame["condition"]).mean()
    first = summary.iloc[0]
    assert first["top1"] == correct["clean"]
    assert first["lfc_0.2"] == correct["lowpass-0.2"] / correct["clean"]
    assert first["hfc_0.01"] == correct["highpass-0.01"] / correct["clean"]


def test_finished_run_does_nothing_and_says_so(
    make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study().run(tmp_path / "run", progress=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    capsys.readouterr()
    make_study().run(tmp_path / "run")
    assert "nothing to do" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}


def test_finished_shard_does_not_speak_for_the_run(
    make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", shard=(1, 3))
    assert "shard 1/3: complete, nothing to do" in capsys.readouterr().err


def test_each_condition_is_made_once_for_all_models(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def noted(renderer: Renderer, batch: ImageBatch, buffer: Tensor, step: int) -> None:
        made.append(len(buffer) * len(batch.images))
        render_batch(renderer, batch, buffer, step)

    monkeypatch.setattr(visionbias.engine.loop, "render_batch", noted)
    for models in (1, 3):
        made.clear()
        nets = [(f"net_{seed}", tiny_net(seed)) for seed in range(models)]
        make_study(models=nets).run(tmp_path / str(models), progress=False)
        assert sum(made) == 23 * 37


def test_modules_are_tried_at_the_size_of_the_study(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    seen = set()
    module = tiny_net(1)
    module.pretrained_cfg = {"input_size": (3, 40, 40)}  # type: ignore[assignment]
    module.register_forward_pre_hook(lambda _, inputs: seen.add(tuple(inputs[0].shape[2:])))
    study = make_study(models=[("mine", module.eval())], probes=[vb.Accuracy()], preprocessing="study")
    study.run(tmp_path / "run", progress=False)
    assert seen == {(224, 224)}


def test_no_bar_off_a_terminal(make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_study().run(tmp_path / "run")
    assert capsys.readouterr().err == ""


def test_manifest_says_how_it_was_made(reference: vb.Run) -> None:
    manifest = json.loads((reference.folder / "run.json").read_text())
    study = manifest["study"]
    (reference_data,) = manifest["data_sets"]
    assert len(study["models"]["first"]["weights_sha256"]) == 64
    assert study["data"][reference_data]["models"]["first"]["decoder"].startswith("pillow-")
    assert len(study["data"][reference_data]["content_sha256"][0]) == 64
    assert study["seed"] == 0
    (session,) = manifest["sessions"]
    assert session["versions"]["torch"] == torch.__version__.split("+")[0]
    assert session["forwards"] == 2 * 23 * 37
    assert session["failures"] == {}


def test_open_run_needs_only_the_folder(reference: vb.Run) -> None:
    assert vb.open_run(reference.folder).summary().to_csv() == reference.summary().to_csv()


def test_plan_counts_what_is_done(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    before = study.plan(tmp_path / "run")
    assert (before.units, before.units_done) == (2 * 23 * 37, 0)
    assert before.predicted_s > 0
    assert not (tmp_path / "run").exists()
    study.run(tmp_path / "run", progress=False)
    after = study.plan(tmp_path / "run")
    assert after.units_done == after.units
    assert after.predicted_s == 0
    assert "left 0" in str(after)


def test_stimuli_are_what_the_study_shows(make_study: Make, image_folder: Path) -> None:
    """Bits of a stimulus do not depend on the batch it comes in."""
    probes = [vb.SpectralBias()]
    options = {"device": "cpu", "preprocessing": vb.Preprocessing(resize=36, crop=32), "decode": "pillow"}
    by_key = {}
    for batch in vb.stimuli(image_folder, probes, batch_size=37, **options):
        for image, label, sample in zip(batch.images, batch.labels, batch.sample_ids, strict=True):
            by_key[batch.condition, sample] = (image, label)
    assert len(by_key) == 23 * 37
    for batch in vb.stimuli(image_folder, probes, batch_size=5, **options):
        for image, label, sample in zip(batch.images, batch.labels, batch.sample_ids, strict=True):
            wanted = by_key[batch.condition, sample]
            assert torch.equal(image, wanted[0])
            assert label == wanted[1]
