# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a study will take: from its steps, and nothing is written; what a run would refuse is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

import visionbias as vb
from visionbias.engine.calibration import Prediction
from visionbias.engine.timed_steps import time_model
from visionbias.models.compiler import Compiler
from visionbias.models.resolve import resolve_model

Make = Callable[..., vb.Study]

STEPS = ("load", "decode", "compile", "compare", "synthesis", "forward", "exact_forward", "attack")
CUES = ("car", "cat", "dog")
MAP = {f"class_{i}": i for i in range(3)}


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def save(path: Path, arch: str = "test_resnet", classes: int = 3) -> Path:
    save_file(timm.create_model(arch, num_classes=classes).state_dict(), path)
    return path


def test_files_of_weights_are_read_and_none_is_downloaded(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path / "cache"))
    kept = [vb.Checkpoint(save(tmp_path / f"{i}.safetensors"), arch="test_resnet") for i in range(2)]
    alone = make_study(models=kept[:1]).plan(tmp_path / "run").prediction
    both = make_study(models=kept).plan(tmp_path / "run").prediction
    published = make_study(
        models=["timm:test_vit.r160_in1k"], data=vb.ImageFolder(make_study().data.root, label_map=MAP)
    )
    planned = published.plan()
    assert planned.prediction is not None
    assert planned.absent == ("timm:test_vit.r160_in1k",)
    assert "download  weights of timm:test_vit.r160_in1k" in str(planned)
    assert alone is not None
    assert both is not None
    assert alone.compile_s == alone.compare_s == 0  # in float32
    assert min(alone.load_s, alone.decode_s, alone.synthesis_s, alone.forward_s) > 0
    assert both.weight_bytes == 2 * alone.weight_bytes > 0
    assert files_of(tmp_path) == [tmp_path / f"{i}.safetensors" for i in range(2)]


def test_a_run_that_was_begun_with_what_is_not_compiled_is_timed_so(
    make_study: Make, tiny_net: type[torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compiler, "__call__", lambda *_: pytest.fail("compiled"))
    device = torch.device("cpu")
    model = resolve_model(("net", tiny_net(1)), device=device, crop=32, batch=8)
    timed = time_model(make_study(), model, 32, device, 8, 1000, {"precision": "bfloat16", "compiled": False})
    assert (timed.dtype, timed.as_it_is) == (torch.bfloat16, False)


def test_what_a_run_would_refuse_is_refused(make_study: Make, tmp_path: Path) -> None:
    """Of files, labels and images that are here; each model is named."""
    other = vb.Checkpoint(save(tmp_path / "other.safetensors", "test_vit"), arch="test_resnet")
    absent = vb.Checkpoint(tmp_path / "absent.pt", arch="test_resnet")
    with pytest.raises(
        vb.CheckpointError, match=r"(?s)2 of 3 models .*absent\.pt: cannot read.*wanted the \d+ keys of"
    ):
        make_study(models=[absent, other, "timm:test_resnet"]).plan(tmp_path / "run")
    wide = vb.Checkpoint(save(tmp_path / "wide.safetensors", classes=5), arch="test_resnet")
    with pytest.raises(vb.DataError, match="the model has 5 classes and the data 3"):
        make_study(models=[wide]).plan(tmp_path / "run")
    root = make_study().data.root
    with pytest.raises(
        vb.DataError, match=r"of 8 images that were tried 8 cannot be used, .*\n.* 32 x 32: ready crops are"
    ):
        make_study(data=vb.ImageFolder(root, precropped=True), cache=tmp_path / "crops").plan(tmp_path / "run")
    with pytest.raises(vb.DataError, match=r"cannot be made of crops of 32 x 32 pixels: .*leave it out with bands=\("):
        make_study(probes=[vb.CriticalBand()]).plan(tmp_path / "run")


def test_an_architecture_that_is_unknown_is_named(make_study: Make, tmp_path: Path) -> None:
    path = save(tmp_path / "weights.safetensors")
    for arch, said in (("resnet5o", "did you mean"), ("keras:resnet50", "names no known family")):
        with pytest.raises(vb.CheckpointError, match=said):
            make_study(models=[vb.Checkpoint(path, arch=arch)]).plan()


def test_what_is_done_takes_no_time_again(make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops in the cache, and the comparison of a run that was begun."""
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cpu": 1.0})
    for module in ("precision", "timed_steps"):
        monkeypatch.setattr(f"visionbias.engine.{module}.fast_dtypes", lambda device: (torch.bfloat16,))
    monkeypatch.setattr(Compiler, "__call__", lambda self, module, architecture: module)
    study = make_study(cache=tmp_path / "crops")
    before = study.plan(tmp_path / "run")
    assert before.prediction is not None
    assert min(before.prediction.decode_s, before.prediction.compile_s, before.prediction.compare_s) > 0
    assert before.predicted_s == before.prediction.total_s
    study.run(tmp_path / "run", progress=False)
    for path in list((tmp_path / "run/records").rglob("*.parquet"))[:30]:
        path.unlink()
    manifest = json.loads((tmp_path / "run/run.json").read_text())
    rate = study.plan(tmp_path / "run")
    assert rate.prediction is None
    assert rate.predicted_s == pytest.approx(rate.units * (30 / 46) / manifest["sessions"][0]["images_per_s"])

    manifest["sessions"].clear()  # as after a kill
    (tmp_path / "run/run.json").write_text(json.dumps(manifest))
    after = study.plan(tmp_path / "run")
    assert after.prediction is not None
    assert after.prediction.decode_s == after.prediction.compare_s == 0
    assert after.prediction.compile_s > 0
    assert after.prediction.forward_s < before.prediction.forward_s * 2


def test_attacks_and_crops_that_are_not_kept_take_time(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.PGD(steps=3)], cache=tmp_path / "crops", cache_bytes=0)
    before = study.plan()
    assert before.prediction is not None
    assert min(before.prediction.attack_s, before.prediction.decode_s) > 0
    assert before.kept_bytes == 0
    assert "attacks" in str(before)
    study.run(tmp_path / "run", progress=False)
    again = study.plan().prediction
    assert again is not None
    assert again.decode_s > 0


def test_crops_of_sets_that_list_the_same_files_take_room_once(make_study: Make, tmp_path: Path) -> None:
    names = [f"{shape}/{shape}1-{texture}1.png" for shape in CUES for texture in CUES]
    for name in names:
        (tmp_path / "cues" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), "teal").save(tmp_path / "cues" / name)
    data = vb.CueConflictFolder(tmp_path / "cues")
    probe = vb.ShapeBias(vb.CueConflictFolder(tmp_path / "cues", name="again"))
    study = make_study(data=data, probes=[vb.Accuracy(), probe], cache=tmp_path / "crops")
    plan = study.plan()
    assert plan.images == 18
    assert plan.kept_bytes == 9 * 32 * 32 * 3
    study.run(tmp_path / "run", progress=False)
    assert sum(path.stat().st_size for path in tmp_path.glob("crops/*/crops.u8")) == plan.kept_bytes


def test_each_preprocessing_has_crops_of_its_own(
    make_study: Make, tiny_net: type[torch.nn.Module], tmp_path: Path
) -> None:
    def net(seed: int, side: int) -> torch.nn.Module:
        module = tiny_net(seed)
        module.pretrained_cfg = {"input_size": (3, side, side), "crop_pct": 1.0}  # as timm's modules say it
        return module

    models = [("first", net(1, 32)), ("second", net(2, 48)), ("third", net(3, 32))]
    study = make_study(models=models, preprocessing="model", cache=tmp_path / "crops")
    pixels = 3 * 37 * (32**2 + 48**2)
    assert study.plan().kept_bytes == pixels
    study.run(tmp_path / "run", progress=False)
    assert sum(path.stat().st_size for path in (tmp_path / "crops").rglob("crops.u8")) == pixels
    assert study.plan(tmp_path / "run").kept_bytes == pixels


def test_activations_grow_with_the_batch_and_more_for_attacks(make_study: Make) -> None:
    def planned(batch: int, probe: vb.Accuracy | vb.PGD) -> int:
        plan = make_study(probes=[probe], forward_batch=batch, precision="fp32").plan()
        assert plan.prediction is not None
        assert f"{plan.prediction.activation_bytes / 1e6:,.1f} MB of activations" in str(plan)
        return plan.prediction.activation_bytes

    few, many = (planned(batch, vb.Accuracy()) for batch in (4, 16))
    assert many == pytest.approx(4 * few, rel=0.01)
    assert planned(4, vb.PGD(steps=1)) > few


def test_a_prediction_of_next_to_nothing_has_no_list_of_steps() -> None:
    steps = dict.fromkeys((f"{step}_s" for step in STEPS), 0.01)
    nothing = Prediction(**steps, weight_bytes=0, activation_bytes=0, model_groups=1, rules=(), listings=())
    assert str(nothing) == "about 0 s, as measured here just now"
    assert str(replace(nothing, forward_s=3.0, exact_forward_s=3.0)).endswith("just now (forward 3.0 s)")
