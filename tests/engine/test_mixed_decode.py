# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A study that decodes on a GPU: refused in time where there is none, its drift kept, said and reported; resumed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import visionbias as vb
from visionbias.decode import entry
from visionbias.decode.choice import decoder_name, new_decoder
from visionbias.engine import decoder
from visionbias.engine.decoder import settled

pytest.importorskip("nvidia.dali")

Make = Callable[..., vb.Study]
GPU = torch.cuda.is_available()


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """DALI's CPU decoder takes the place of the one that needs a GPU."""
    for module in (entry, decoder):
        monkeypatch.setattr(module, "new_decoder", lambda _, rule, gpu: new_decoder("dali", rule, gpu))


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_without_a_gpu_it_is_refused_before_anything_is_loaded(make_study: Make, tmp_path: Path) -> None:
    models = [vb.Checkpoint(tmp_path / "absent.safetensors", arch="test_resnet")]
    study = make_study(models=models, decode="dali-mixed")
    for attempt in (study.plan, lambda: study.run(tmp_path / "run", progress=False)):
        with pytest.raises(
            vb.BackendError, match=r"decode='dali-mixed': wanted a GPU .* use decode='dali' or 'pillow'"
        ):
            attempt()
    assert not (tmp_path / "run").exists()


def test_crops_that_are_never_kept_are_refused(make_study: Make, tmp_path: Path) -> None:
    study = make_study(decode="dali-mixed", cache_bytes=0)
    for attempt in (study.plan, lambda: study.run(tmp_path / "run", progress=False)):
        with pytest.raises(vb.RunError, match=r"got cache_bytes=0; keep the crops, or use decode='dali'"):
            attempt()


@pytest.mark.usefixtures("on_cpu")
def test_crops_that_do_not_fit_are_refused(make_study: Make, tmp_path: Path) -> None:
    size = 37 * 32 * 32 * 3
    study = make_study(decode="dali-mixed", cache=tmp_path / "cache", cache_bytes=size - 1)
    wanted = rf"wanted to write {size} bytes to .*, got room for {size - 1}; decode='dali-mixed' decodes once"
    for attempt in (study.plan, lambda: study.run(tmp_path / "run", progress=False)):
        with pytest.raises(vb.DataError, match=wanted):
            attempt()
    assert not list(tmp_path.rglob("*.u8"))


@pytest.mark.usefixtures("on_cpu")
def test_drift_is_kept_said_and_reported(make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(decode="dali-mixed", probes=[vb.Accuracy()], cache=tmp_path / "cache")
    run = study.run(tmp_path / "run")
    name = decoder_name("dali-mixed")
    views = run.manifest["study"]["data"][study.data.name]["models"].values()
    assert [view["decoder"] for view in views] == [name, name]
    drift = run.manifest["data_sets"][study.data.name]["drift"]
    assert drift["images"] == 37
    assert 0 < drift["mean_levels"] <= drift["max_levels"] <= 1
    sentence = f"{drift['mean_levels']:.2f} levels from Pillow in the mean, 1 at most, on 37 images"
    assert capsys.readouterr().err.splitlines() == [f"{study.data.name}: crops of {name} are {sentence}"]
    assert f"{name}: {sentence}" in run.report(tmp_path / "report.html").read_text()

    auto = make_study(decode="auto", probes=[vb.Accuracy()], cache=tmp_path / "cache").run(tmp_path / "run")
    assert "complete, nothing to do" in capsys.readouterr().err
    assert auto.manifest["study"] == run.manifest["study"]
    with pytest.raises(
        vb.RunError, match=r'decoder and 1 more: this study has "dali-.*-cpu", the folder has "dali-.*-mixed'
    ):
        make_study(decode="dali", probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_auto_goes_on_with_the_gpu_or_not_at_all(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for module in (entry, decoder):
            patch.setattr(module, "new_decoder", lambda _, rule, gpu: new_decoder("dali", rule, gpu))
        make_study(decode="dali-mixed", probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    with pytest.raises(vb.BackendError, match="wanted a GPU"):
        make_study(decode="auto", probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)


def test_a_run_of_another_decoder_measures_no_drift(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy()])
    run = study.run(tmp_path / "run", progress=False)
    assert "drift" not in run.manifest["data_sets"][study.data.name]


@pytest.mark.parametrize("kind", ["dali", "dali-mixed", "pillow"])
def test_auto_settles_on_the_decoder_that_began(kind: str, tmp_path: Path) -> None:
    assert settled("auto", decoder_name(kind), tmp_path) == kind
    assert settled("auto", None, tmp_path) == "auto"
    assert settled("pillow", decoder_name(kind), tmp_path) == "pillow"


def test_another_version_of_the_gpu_decoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        vb.BackendError, match=r"decoder dali-0\.0\.1-mixed, here is dali-.*-mixed; install version 0\.0\.1"
    ):
        settled("auto", "dali-0.0.1-mixed", tmp_path)


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU")
def test_on_a_gpu_crops_are_decoded_and_measured(make_study: Make, tmp_path: Path) -> None:
    study = make_study(decode="dali-mixed", device="cuda", probes=[vb.Accuracy()], cache=tmp_path / "cache")
    run = study.run(tmp_path / "run", progress=False)
    assert run.manifest["data_sets"][study.data.name]["drift"]["images"] == 37
