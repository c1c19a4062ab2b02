# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a study must survive: each is one clear error, and nothing that was measured is lost."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import visionbias as vb

Make = Callable[..., vb.Study]


class Poisoned(nn.Module):
    """Gives NaN or infinity for dark high-pass images, numbers otherwise."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.stack([x.mean(dim=(1, 2, 3)), x[:, 0].mean(dim=(1, 2)), x[:, 1].std(dim=(1, 2))], dim=1)
        return torch.where(logits[:, :1] < -1.9, torch.full_like(logits, self.value), logits)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_model_that_breaks_on_the_way(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, value: float
) -> None:
    models = [("first", tiny_net(1)), ("poisoned", Poisoned(value))]
    with pytest.raises(vb.RunError, match=r"1 of 2 models failed(?s:.*)poisoned: .*NaN or infinite logits for"):
        make_study(models=models).run(tmp_path / "run", progress=False)
    summary = vb.open_run(tmp_path / "run").summary().set_index("model")
    assert summary.loc["first", "status"] == "complete"
    assert summary.loc["poisoned", "status"] == "failed"
    assert summary.loc["poisoned", ["top1", "spectral_bias"]].isna().all()
    alone = make_study(models=models[:1]).run(tmp_path / "alone", progress=False)
    assert summary.loc["first", "lpp"] == alone.summary().loc[0, "lpp"]


def test_model_that_answers_no_number_at_all(make_study: Make, tiny_net: type[nn.Module], tmp_path: Path) -> None:
    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.full((len(x), 3), torch.nan)

    study = make_study(models=[("first", tiny_net(1)), ("log", Log())])
    study.plan()
    with pytest.raises(vb.RunError, match=r"1 of 2 models failed(?s:.*)log: .*NaN or infinite logits for"):
        study.run(tmp_path / "run", progress=False)
    assert vb.open_run(tmp_path / "run").summary().set_index("model").loc["first", "status"] == "complete"


def test_a_folder_stays_where_it_was_when_the_run_began(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_study(cache="crops").run("run", progress=False)
    opened = vb.open_run("run")
    monkeypatch.chdir("/")
    assert run.summary().equals(opened.summary())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops", "run"]


def test_a_model_may_have_the_name_of_a_missing_one(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    run = make_study(models=[("__HIVE_DEFAULT_PARTITION__", tiny_net(1))]).run(tmp_path / "run", progress=False)
    assert set(run.records().to_table()["model"].to_pylist()) == {"__HIVE_DEFAULT_PARTITION__"}


def test_model_that_raises_on_the_way(make_study: Make, tiny_net: type[nn.Module], tmp_path: Path) -> None:
    calls = []

    def moody(x: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 4:
            raise RuntimeError("bad mood")
        return x.mean(dim=(2, 3))

    with pytest.raises(vb.RunError, match=r"moody: under condition .*RuntimeError: bad mood"):
        make_study(models=[("moody", moody), ("first", tiny_net(1))]).run(tmp_path / "run", progress=False)
    summary = vb.open_run(tmp_path / "run").summary().set_index("model")
    assert summary["status"].to_dict() == {"first": "complete", "moody": "failed"}


def test_folder_of_another_study(make_study: Make, tmp_path: Path) -> None:
    make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    kept = vb.open_run(tmp_path / "run").summary().to_csv()
    with pytest.raises(vb.RunError, match=r"another study(?s:.*)seed: this study has 5, the folder has 0"):
        make_study(probes=[vb.Accuracy()], seed=5).run(tmp_path / "run", progress=False)
    with pytest.raises(vb.RunError, match=r"another study(?s:.*)probes"):
        make_study().run(tmp_path / "run", progress=False)
    assert vb.open_run(tmp_path / "run").summary().to_csv() == kept


def test_other_weights_under_the_same_name(make_study: Make, tiny_net: type[nn.Module], tmp_path: Path) -> None:
    make_study(models=[("m", tiny_net(1))], probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    with pytest.raises(vb.RunError, match=r"models\.m\.weights_sha256"):
        make_study(models=[("m", tiny_net(2))], probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)


def test_folder_that_is_no_run(make_study: Make, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(vb.RunError, match="not a run folder"):
        make_study().run(tmp_path, progress=False)
    with pytest.raises(vb.RunError, match="holds no run"):
        vb.open_run(tmp_path / "absent")


def test_run_folder_that_cannot_be_locked(make_study: Make, tmp_path: Path) -> None:
    (tmp_path / "run" / ".run.lock").mkdir(parents=True)
    with pytest.raises(vb.RunError, match="cannot write the run folder"):
        make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)


def test_damaged_records_are_named_and_made_again(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy()])
    whole = study.run(tmp_path / "run", progress=False).summary().to_csv()
    path = next((tmp_path / "run").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    assert study.plan(tmp_path / "run").units_done == 37
    with pytest.raises(vb.RunError, match=rf"{path.name}.*delete the file and start the same run again"):
        vb.open_run(tmp_path / "run").summary()
    path.unlink()
    assert study.run(tmp_path / "run", progress=False).summary().to_csv() == whole


def test_images_that_changed_since(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "images"
    shutil.copytree(image_folder, root)
    make_study(data=root, probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    first, second, *_ = sorted((root / "class_0").iterdir())
    shutil.copy(second, first)
    with pytest.raises(vb.RunError, match=r"data\.images\.content_sha256"):
        make_study(data=root, probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)


def test_wrong_number_of_classes(make_study: Make, tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match="label_map"):
        make_study(models=[("five", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)))]).run(
            tmp_path / "run", progress=False
        )


def test_label_map_with_a_hole(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match="class_1"):
        make_study(data=vb.ImageFolder(image_folder, label_map={"class_0": 0, "class_2": [1, 2]})).run(
            tmp_path / "run", progress=False
        )


def test_wrong_arguments(make_study: Make, image_folder: Path) -> None:
    for changes, message in (
        ({"models": []}, "models must be a non-empty list"),
        ({"models": "timm:resnet18"}, "models must be a non-empty list"),
        ({"models": 5}, "models must be a non-empty list"),
        ({"models": [("x" * 300, print)]}, "shorter"),
        ({"probes": []}, "probes must be a non-empty list"),
        ({"probes": [vb.Accuracy(), vb.Accuracy()]}, "given 2 times"),
        ({"probes": ["accuracy"]}, r"wanted a probe, such as Accuracy\(\), got 'accuracy'"),
        ({"data": 5}, "data must be a path or a data set, got 5"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0, got 1.5"),
        ({"seed": 2**64}, r"seed must be a whole number of at least 0 and less than 2\^64"),
        ({"forward_batch": 10**20}, r"forward_batch must be a whole number of at least 1 and less than 2\^63"),
        ({"preprocessing": "mine"}, "preprocessing must be"),
        ({"precision": "int4"}, "precision must be one of"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"max_bad": -1}, "max_bad must be a whole number"),
        ({"cache_bytes": -1}, "cache_bytes must be a whole number of at least 0, got -1"),
        ({"cache_bytes": True}, "cache_bytes must be a whole number of at least 0, got True"),
        ({"cache_bytes": "all"}, "cache_bytes must be a whole number of at least 0, got 'all'"),
        ({"model_memory_bytes": 0}, "model_memory_bytes must be a whole number of at least 1"),
        ({"decode": "opencv"}, "decode must be one of"),
    ):
        with pytest.raises(vb.RunError, match=message):
            make_study(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": 5}, "data must be a path or a data set, got 5"),
        ({"preprocessing": "study"}, "preprocessing must be a Preprocessing, got 'study'"),
        ({"normalization": (0.5, 0.5)}, "normalization must be a Normalization, got"),
        ({"dtype": "float32"}, "dtype must be one of .* got 'float32'"),
        ({"dtype": torch.uint8}, "dtype must be one of .* got torch.uint8"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"seed": 2**64}, r"seed must be a whole number of at least 0 and less than 2\^64"),
        ({"max_bad": None}, "max_bad must be a whole number"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"probes": ["accuracy"]}, r"wanted a probe, such as Accuracy\(\), got 'accuracy'"),
    ],
)
def test_wrong_arguments_of_a_stream(image_folder: Path, changes: dict[str, object], message: str) -> None:
    options: dict[str, object] = {"data": image_folder, "probes": [vb.Accuracy()], "device": "cpu"} | changes
    with pytest.raises(vb.RunError, match=message):
        next(vb.stimuli(**options))  # type: ignore[arg-type]


def test_batches_beyond_memory(make_study: Make, tmp_path: Path) -> None:
    with pytest.raises(vb.RunError, match=r"no memory on cpu .* use a smaller forward_batch"):
        make_study(forward_batch=10**9).run(tmp_path / "run", progress=False)


@pytest.mark.parametrize("cutoffs", [(), (0.1, 0.1), (0.10001, 0.10002)])
def test_cutoffs_without_names_of_their_own(cutoffs: tuple[float, ...]) -> None:
    with pytest.raises(vb.RunError, match="at least one cutoff and none twice"):
        vb.SpectralBias(cutoffs=cutoffs)


@pytest.mark.parametrize("options", [{"cutoffs": (0.1, 1.5)}, {"offset": -0.5}])
def test_probe_options_are_checked_at_once(options: dict[str, object]) -> None:
    with pytest.raises(vb.DataError, match=r"in \[0, 1\]"):
        vb.SpectralBias(**options)  # type: ignore[arg-type]


def test_device_that_is_not_there(make_study: Make, tmp_path: Path) -> None:
    for device in ("tpu", "meta", None):
        with pytest.raises(vb.BackendError, match=f"device {device!r} cannot be used"):
            make_study(device=device).run(tmp_path / "run", progress=False)


def test_shard_out_of_range(make_study: Make, tmp_path: Path) -> None:
    for shard in ((3, 3), (0.5, 1), (0,), None):
        with pytest.raises(vb.RunError, match="0 <= i < n"):
            make_study().run(tmp_path / "run", shard=shard, progress=False)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    """Cutoffs, sizes and class indices often come out of NumPy; lists where tuples are wanted come from files."""
    label_map = {f"class_{i}": np.int64(i) for i in range(3)}
    changes = {
        "data": vb.ImageFolder(image_folder, label_map=label_map),
        "probes": [vb.SpectralBias(cutoffs=np.array([0.25, 0.5], dtype=np.float32))],
        "preprocessing": vb.Preprocessing(resize=np.int64(36), crop=np.int64(32)),
        "seed": np.int64(3),
    }
    make_study(**changes).run(tmp_path / "run", progress=False)
    plain = make_study(probes=[vb.SpectralBias(cutoffs=(0.25, 0.5))])
    assert plain.probes == (changes["probes"][0],)
    assert hash(vb.Normalization([0.5], np.array([0.5]))) == hash(vb.Normalization((0.5,), (0.5,)))


def test_what_is_no_number_is_refused() -> None:
    for make in (
        lambda: vb.SpectralBias(cutoffs=("0.1",)),
        lambda: vb.SpectralBias(cutoffs=0.1),
        lambda: vb.SpectralBias(offset=None),
        lambda: vb.Preprocessing(crop=1.5),
        lambda: vb.Preprocessing(resize="256"),
        lambda: vb.Normalization(0.5, 0.5),
        lambda: vb.Normalization((float("nan"),), (1.0,)),
        lambda: vb.LabelMap.groups({"cat": 1.5}),
        lambda: vb.LabelMap.groups({"cat": None}),
    ):
        with pytest.raises(vb.VisionBiasError, match=r"must be|finite"):
            make()


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk_then_space_again(image_folder: Path, tmp_path: Path) -> None:
    """The disk fills while records are written: one error, and the same run goes on once there is space."""
    script = """
import resource, signal, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from kill_nursery import study
import visionbias as vb
images, out = Path(sys.argv[1]), Path(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
study(images).run(out.with_name("warm"), progress=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (2500, resource.RLIM_INFINITY))
try:
    study(images).run(out, progress=False)
except vb.RunError as error:
    print("RunError:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
run = study(images).run(out, progress=False)
assert run.summary().to_csv() == vb.open_run(out.with_name("warm")).summary().to_csv()
"""
    answer = subprocess.run(
        [sys.executable, "-c", script, str(image_folder), str(tmp_path / "run"), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "RunError: " in answer.stdout
    assert "free space" in answer.stdout
