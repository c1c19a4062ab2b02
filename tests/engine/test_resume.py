# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run folder keeps, says and shows while its run is not finished, and what it must match to go on."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hooked_network import Hooked
from run_folders import change_manifest
from torch import nn

import visionbias as vb
from visionbias.records.writer import count_rows

Make = Callable[..., vb.Study]
HAS_DALI = importlib.util.find_spec("nvidia.dali") is not None if importlib.util.find_spec("nvidia") else False


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def hooked(make_study: Make, tiny_net: type[nn.Module]) -> Callable[[int, Callable[[], None]], vb.Study]:
    """A study of one model under 23 conditions."""

    def make(at: int, hook: Callable[[], None]) -> vb.Study:
        return make_study(
            models=[("m", Hooked(tiny_net(1), at, hook).eval())], probes=[vb.Accuracy(), vb.SpectralBias()]
        )

    return make


def test_the_first_batch_is_saved_before_it_is_whole(
    hooked: Callable[[int, Callable[[], None]], vb.Study], tmp_path: Path
) -> None:
    """What is on disk while the run is at its 20th forward pass, still with its first 8 images."""
    found = []
    study = hooked(20, lambda: found.append(count_rows(tmp_path / "run/records", ["m"], study.conditions)))
    study.run(tmp_path / "run", progress=False, save_interval_s=0.0)
    assert found[0] >= 8
    files = [len(list(folder.iterdir())) for folder in (tmp_path / "run/records/model=m").iterdir()]
    assert max(files) <= 3  # of five batches


def test_going_on_is_said_and_an_unfinished_run_shows_what_it_has(
    hooked: Callable[[int, Callable[[], None]], vb.Study], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        hooked(30, interrupt).run(tmp_path / "run", progress=False)
    run = vb.open_run(tmp_path / "run")
    assert run.progress() == (29 * 8, 23 * 37)
    row = run.summary().iloc[0]
    assert (row["status"], row["n"]) == ("incomplete", 8)
    frame = run.records().to_table().to_pandas()
    frame = frame[frame["sample_id"].isin(sorted(frame["sample_id"].unique())[:8])]
    correct = (frame["pred"] == frame["label"]).groupby(frame["condition"]).mean()
    assert row["top1"] == correct["clean"]
    assert row["top1_low"] < row["top1"] + 1e-9 < row["top1_high"]

    capsys.readouterr()
    finished = hooked(0, interrupt).run(tmp_path / "run")
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{tmp_path / 'run'}: goes on; 232 of 851 forward passes are done, 619 are left"]
    assert finished.progress() == (851, 851)
    assert set(finished.summary()["status"]) == {"complete"}


def test_a_run_that_has_not_begun_shows_no_numbers(
    hooked: Callable[[int, Callable[[], None]], vb.Study], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        hooked(1, interrupt).run(tmp_path / "run", progress=False)
    summary = vb.open_run(tmp_path / "run").summary()
    nothing = {"model": "m", "status": "incomplete", "n": 0, "bad": 0, "precision": "float32"}
    assert summary.to_dict("records") == [nothing]


def test_plan_says_where_its_time_is_from(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy()])
    assert "2 models x 1 condition x 37 images = 74 forward passes" in str(study.plan())
    assert re.search(r"time +about \d+ s, as measured here just now", str(study.plan()))
    study.run(tmp_path / "run", progress=False)
    assert "weights and images are compared when it runs" in str(study.plan(tmp_path / "run"))
    next((tmp_path / "run").rglob("*.parquet")).unlink()
    assert re.search(r"time      about 0 s at the rate of the last session", str(study.plan(tmp_path / "run")))
    change_manifest(tmp_path / "run", lambda manifest: manifest["sessions"].clear())
    assert "as measured here just now" in str(study.plan(tmp_path / "run"))


def test_a_run_keeps_the_decoder_that_it_was_begun_with(
    make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With "auto", whatever is installed by now: here DALI, where the run was begun without."""
    make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    auto = make_study(probes=[vb.Accuracy()], decode="auto")
    plan = auto.plan(tmp_path / "run")
    assert plan.units_done == plan.units
    capsys.readouterr()
    auto.run(tmp_path / "run")
    assert "complete, nothing to do" in capsys.readouterr().err


@pytest.mark.skipif(not HAS_DALI, reason="DALI is not installed")
def test_another_decoder_is_refused_once_by_plan_and_run(make_study: Make, tmp_path: Path) -> None:
    begun = make_study(probes=[vb.Accuracy()], decode="auto").run(tmp_path / "run", progress=False)
    decoder = begun.manifest["study"]["data"]
    assert all(view["decoder"].startswith("dali-") for data in decoder.values() for view in data["models"].values())
    other = make_study(probes=[vb.Accuracy()], decode="pillow")
    for attempt in (other.plan, lambda out: other.run(out, progress=False)):
        with pytest.raises(vb.RunError) as caught:
            attempt(tmp_path / "run")
        assert str(caught.value).count(".decoder") == 1
        assert re.search(r"decoder and 1 more: this study has \"pillow-.*, the folder has \"dali-", str(caught.value))


def test_a_decoder_that_is_gone_is_named_with_how_to_install_it(make_study: Make, tmp_path: Path) -> None:
    make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)

    def older(manifest: dict) -> None:
        for data in manifest["study"]["data"].values():
            for view in data["models"].values():
                view["decoder"] = "dali-0.0.1-cpu"

    change_manifest(tmp_path / "run", older)
    study = make_study(probes=[vb.Accuracy()], decode="auto")
    for attempt in (study.plan, lambda out: study.run(out, progress=False)):
        with pytest.raises(
            vb.BackendError, match=r"begun with the decoder dali-0\.0\.1-cpu, .*install version 0\.0\.1 of nv"
        ):
            attempt(tmp_path / "run")


def test_plan_refuses_what_run_refuses(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    def study(cat: int, **changes: object) -> vb.Study:
        maps = {"class_0": cat, "class_1": 1 - cat, "class_2": 2}
        return make_study(data=vb.ImageFolder(image_folder, label_map=maps), probes=[vb.Accuracy()], **changes)

    study(0).run(tmp_path / "run", progress=False)
    for other, said in (
        (study(1), r"label_map and 1 more: "),
        (study(0, preprocessing=vb.Preprocessing(resize=40, crop=32)), r"resize and 1 more: this study has 40, .* 36"),
        (study(0, models=[("first", lambda x: x.mean(dim=(2, 3)))]), r'source: this study has "callable '),
    ):
        for attempt in (other.plan, lambda out, other=other: other.run(out, progress=False)):
            with pytest.raises(vb.RunError, match=f"another study(?s:.*){said}"):
                attempt(tmp_path / "run")


def test_manifest_names_the_backends_that_made_the_stimuli(make_study: Make, tmp_path: Path) -> None:
    run = make_study(probes=[vb.SpectralBias()]).run(tmp_path / "run", progress=False)
    backends = run.manifest["sessions"][-1]["backends"]
    assert {"filter_bank", "normalize"} <= set(backends)
    assert all(set(names) <= {"native", "torch", "triton", "cuda"} for names in backends.values())
