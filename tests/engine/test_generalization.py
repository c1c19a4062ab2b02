# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks through the engine: from small copies in their official layout to the means of groups."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from benchmark_folders import CLASSES, small_copies, wnid, write_images

import visionbias as vb
from visionbias.datasets.benchmarks import C15, C19, SEVERITIES
from visionbias.datasets.sixteen import CATEGORIES16
from visionbias.engine.study_file import read_study
from visionbias.metrics.corruptions import ALEXNET_ERRORS
from visionbias.metrics.intervals import wilson
from visionbias.probes import make_probe

MODELS = {"resnet": "test_resnet", "efficientnet": "test_efficientnet"}
NORMALIZATION = vb.Normalization((0.5,) * 3, (0.5,) * 3)  # of these models
PREPROCESSING = vb.Preprocessing(resize=36, crop=32)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return small_copies(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> vb.CsvManifest:
    """Five images by two cameras, and one by none."""
    root = tmp_path_factory.mktemp("own")
    paths = [f"{i}.jpg" for i in range(6)]
    write_images(root, paths, 9)
    with (root / "photos.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "group"])
        rows.writerows((path, wnid(CLASSES[i % 2]), ["left", "right", ""][i % 3]) for i, path in enumerate(paths))
    return vb.CsvManifest(root / "photos.csv")


@pytest.fixture(scope="module")
def networks(copies: dict[str, Path], probe: vb.Generalization) -> dict[str, torch.nn.Module]:
    """Seeded random weights; biases and statistics of activations such that answers differ from image to image."""
    stream = vb.stimuli(
        copies["imagenet_v2"], [probe], preprocessing=PREPROCESSING, normalization=NORMALIZATION, progress=False
    )
    images = torch.cat([batch.images for batch in stream if "imagenet_c" not in batch.condition])
    made = {}
    for seed, (name, arch) in enumerate(MODELS.items()):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made[name] = timm.create_model(arch, num_classes=1000).train()
        with torch.no_grad():
            for _ in range(40):
                made[name](images)
            logits = made[name].eval()(images)
            head = made[name].get_classifier()
            head.bias -= logits.mean(dim=0)
            head.bias[list(CLASSES)] += 5.0 * logits.std(dim=0).mean()
    return made


@pytest.fixture(scope="module")
def probe(copies: dict[str, Path], own: vb.CsvManifest) -> vb.Generalization:
    return vb.Generalization(
        **copies, own=[own], groups={"mine": ["photos", "sketch"], "concepts": ["sketch"]}, allow_partial=True
    )


@pytest.fixture(scope="module")
def study(
    probe: vb.Generalization,
    copies: dict[str, Path],
    networks: dict[str, torch.nn.Module],
    tmp_path_factory: pytest.TempPathFactory,
) -> vb.Study:
    return vb.Study(
        list(networks.items()),
        data=copies["imagenet_v2"],
        probes=[probe],
        preprocessing=PREPROCESSING,
        decode="pillow",
        device="cpu",
        cache=tmp_path_factory.mktemp("crops"),
    )


@pytest.fixture(scope="module")
def run(study: vb.Study, tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    return study.run(tmp_path_factory.mktemp("run"), progress=False)


@pytest.fixture(scope="module")
def logits(
    probe: vb.Generalization, copies: dict[str, Path], networks: dict[str, torch.nn.Module]
) -> Callable[[str], pd.DataFrame]:
    """Sample id and logits of each image of a set, by a plain loop."""
    frames: dict[str, pd.DataFrame] = {}
    net = networks["resnet"]
    stream = vb.stimuli(
        copies["imagenet_v2"],
        [probe],
        preprocessing=PREPROCESSING,
        normalization=NORMALIZATION,
        decode="pillow",
        progress=False,
    )
    with torch.inference_mode():
        for batch in stream:
            name = batch.condition.removesuffix("/clean").removesuffix("[partial]")
            frame = pd.DataFrame({"id": batch.sample_ids, "logits": list(net(batch.images).double().numpy())})
            frames[name] = pd.concat([frames[name], frame]) if name in frames else frame
    return lambda name: frames[name].reset_index(drop=True)


def _row(run: vb.Run) -> pd.Series:
    return run.summary().set_index("model").loc["resnet"]


def _top(frame: pd.DataFrame) -> np.ndarray:
    return np.stack(frame["logits"].to_list()).argmax(axis=1)


def _hits(frame: pd.DataFrame, folder: int = 0) -> np.ndarray:
    """Whether the largest of 1000 logits is that of the folder's WordNet id."""
    return np.array([wnid(c) for c in _top(frame)]) == frame["id"].str.split("/").str[folder].to_numpy()


def test_thousand_way_sets(run: vb.Run, logits: Callable[[str], pd.DataFrame]) -> None:
    row = _row(run)
    for name in ("imagenet_val", "sketch", "imagenet_a_1000_way", "imagenet_r_1000_way"):
        hits = _hits(logits(name))
        assert row[f"{name}[partial]"] == hits.mean()
        assert (row[f"{name}[partial]_low"], row[f"{name}[partial]_high"]) == wilson(int(hits.sum()), len(hits))
        assert row[f"{name}_n[partial]"] == len(hits)
    v2 = logits("imagenet_v2_matched_frequency")
    by_number = _top(v2) == v2["id"].str.split("/").str[0].astype(int)
    assert row["imagenet_v2_matched_frequency[partial]"] == by_number.mean()


def test_some_answers_are_right_and_some_are_wrong(run: vb.Run) -> None:
    """Else the other tests would pass whatever the rules."""
    row = _row(run)
    names = ["imagenet_val", "imagenet_v2_matched_frequency", "real", "imagenet_a", "imagenet_r", "sketch", "stylized"]
    names += ["imagenet_c_15", "imagenet_c_bar"]
    names += [f"imagenet_{which}_{reading}" for which in "ar" for reading in ("clean", "1000_way")]
    assert [name for name in names if not 0 < row[f"{name}[partial]"] < 1] == []
    assert row["imagenet_a[partial]"] > row["imagenet_a_1000_way[partial]"]


def test_what_is_in_no_group_of_the_study_is_other_or_own(copies: dict[str, Path], own: vb.CsvManifest) -> None:
    places = {name: copies[name] for name in ("imagenet_a", "imagenet_v2")}
    assert vb.Generalization(**places, own=[own], allow_partial=True).benchmarks == {
        "ID": ("imagenet_v2_matched_frequency[partial]",),
        "robustness": ("imagenet_a[partial]",),
        "other": ("imagenet_a_1000_way[partial]",),
        "own": ("photos",),
    }


@pytest.mark.parametrize(("name", "classes"), [("imagenet_a", CLASSES[:3]), ("imagenet_r", CLASSES[:4])])
@pytest.mark.parametrize("which", ["", "_clean"])
def test_sliced_sets(
    run: vb.Run, logits: Callable[[str], pd.DataFrame], name: str, classes: tuple[int, ...], which: str
) -> None:
    frame = logits(f"{name}{which}")
    sliced = np.stack(frame["logits"].to_list())[:, classes].argmax(axis=1)
    hits = np.array([wnid(classes[c]) for c in sliced]) == frame["id"].str.split("/").str[0]
    assert _row(run)[f"{name}{which}[partial]"] == hits.mean()


def test_stylized_by_mean_probability(run: vb.Run, logits: Callable[[str], pd.DataFrame]) -> None:
    frame = logits("stylized")
    decided = np.array(list(CATEGORIES16))[vb.metrics.decide16(np.stack(frame["logits"].to_list()))]
    assert _row(run)["stylized[partial]"] == (decided == frame["id"].str.split("/").str[0]).mean()


def test_real_counts_images_with_labels_only(
    run: vb.Run, logits: Callable[[str], pd.DataFrame], copies: dict[str, Path]
) -> None:
    frame, labels = logits("imagenet_val"), json.loads(copies["real"].read_text())
    sets = [labels[int(id_[-13:-5]) - 1] for id_ in frame["id"]]
    hits = [top in accepted for top, accepted in zip(_top(frame), sets, strict=True) if accepted]
    row = _row(run)
    assert (row["real[partial]"], row["real_n[partial]"]) == (np.mean(hits), 10)


def test_corruptions(run: vb.Run, logits: Callable[[str], pd.DataFrame]) -> None:
    frame, row = logits("imagenet_c"), _row(run)
    frame["hit"] = _hits(frame, folder=2)
    cells = frame["hit"].groupby(frame["id"].str.split("/").str[:2].str.join("/")).mean()
    assert [row[f"imagenet_c[{cell}][partial]"] for cell in cells.index] == cells.tolist()
    curves = {name: np.mean([cells[f"{name}/{severity}"] for severity in SEVERITIES]) for name in C19}
    assert row["imagenet_c[fog][partial]"] == pytest.approx(curves["fog"])
    assert row["imagenet_c_15[partial]"] == pytest.approx(np.mean([curves[name] for name in C15]))
    assert row["imagenet_c_19[partial]"] == pytest.approx(np.mean(list(curves.values())))
    mce = np.mean([(1 - curves[name]) / ALEXNET_ERRORS[name] for name in C15])
    assert row["imagenet_c_mce[partial]"] == pytest.approx(mce)
    assert row["imagenet_c_n[partial]"] == len(CLASSES)
    assert row["imagenet_c_bar[partial]"] == pytest.approx(_hits(logits("imagenet_c_bar"), folder=2).mean())


def test_groups_are_means_of_their_sets(run: vb.Run) -> None:
    row = _row(run)
    groups = {
        "ID": ("imagenet_val", "imagenet_v2_matched_frequency", "real"),
        "robustness": ("imagenet_a", "imagenet_c_19", "imagenet_c_bar"),
        "concepts": ("sketch",),
    }
    for group, members in groups.items():
        columns = [f"{name}[partial]" for name in members]
        assert row[f"{group}[partial]"] == pytest.approx(np.mean([row[column] for column in columns]))
        assert row[f"{group}_sets"] == " + ".join(columns)
        assert row[f"{group}[partial]_low"] <= row[f"{group}[partial]"] <= row[f"{group}[partial]_high"]
    assert row["mine[partial]"] == pytest.approx((row["photos"] + row["sketch[partial]"]) / 2)
    assert row["mine_sets"] == "photos + sketch[partial]"
    assert "adversarial" not in row  # nothing was attacked


def test_own_set_by_group(run: vb.Run, logits: Callable[[str], pd.DataFrame]) -> None:
    row = _row(run)
    assert (row["photos_n"], row["photos_n[left]"], row["photos_n[right]"]) == (6, 2, 2)
    assert "photos[]" not in row


def test_same_numbers_where_images_and_models_are_not(run: vb.Run) -> None:
    pd.testing.assert_frame_equal(vb.open_run(run.folder).summary(), run.summary())


def test_finished_run_is_known_again(run: vb.Run, study: vb.Study) -> None:
    plan = study.plan(run.folder)
    assert plan.units_done == plan.units > 0


def test_pgd_joins_the_adversarial_group(probe: vb.Generalization) -> None:
    found = make_probe(json.loads(json.dumps(probe.config()))).combine({"pgd": 0.25, "pgd_low": 0.2, "pgd_high": 0.3})
    assert found["adversarial"] == 0.25
    assert (found["adversarial_low"], found["adversarial_high"]) == pytest.approx((0.2, 0.3))


def test_sets_of_the_same_images_err_together(probe: vb.Generalization) -> None:
    names = ["imagenet_val", "imagenet_v2_matched_frequency", "real", "sketch"]
    columns = {f"{name}[partial]": 0.5 for name in names} | {"photos": 0.6}
    for name, value in list(columns.items()):
        columns |= {f"{name}_low": value - 0.1, f"{name}_high": value + 0.2}
    found = probe.combine(columns)
    below, above = (math.hypot(2 * width, width) / 3 for width in (0.1, 0.2))  # val and ReaL; V2
    assert (found["ID[partial]_low"], found["ID[partial]_high"]) == pytest.approx((0.5 - below, 0.5 + above))
    assert found["mine[partial]_low"] == pytest.approx(0.55 - math.hypot(0.1, 0.1) / 2)
    both = make_probe(probe.config() | {"groups": {"mine": ["photos", "imagenet_a_clean"]}})
    more = {f"imagenet_a_clean[partial]{end}": columns[f"photos{end}"] for end in ("", "_low", "_high")}
    assert both.combine(columns | more)["mine[partial]_low"] == pytest.approx(0.5)


def test_unfinished_run_has_the_sets_that_were_come_to(
    probe: vb.Generalization, copies: dict[str, Path], networks: dict[str, torch.nn.Module], tmp_path: Path
) -> None:
    class Tired(torch.nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 4:  # a trial, ImageNet's validation set, and more
                raise KeyboardInterrupt
            return networks["resnet"](x)

    study = vb.Study(
        [("tired", Tired())],
        data=copies["imagenet_v2"],
        probes=[probe],
        preprocessing=PREPROCESSING,
        decode="pillow",
        device="cpu",
        cache=tmp_path / "crops",
    )
    with pytest.raises(KeyboardInterrupt):
        study.run(tmp_path / "run", progress=False)
    row = vb.open_run(tmp_path / "run").summary().iloc[0]
    assert row["status"] == "incomplete"
    assert 0 <= row["imagenet_val[partial]"] <= 1
    assert "imagenet_c_15[partial]" not in row or math.isnan(row["imagenet_c_15[partial]"])
    assert "robustness[partial]" not in row


def test_study_file(copies: dict[str, Path], own: vb.CsvManifest, probe: vb.Generalization, tmp_path: Path) -> None:
    for path in (*copies.values(), own.root):
        if path.parent != copies["imagenet_v2"].parent:
            (tmp_path / path.name).symlink_to(path)
    text = f"""
models = ["timm:test_resnet"]
data = {{ benchmark = "sketch", folder = "sketch", allow_partial = true, name = "drawn" }}
preprocessing = {{ resize = 36, crop = 32 }}

[[probes]]
probe = "generalization"
imagenet_val = "val"
imagenet_v2 = {{ matched-frequency = "{copies["imagenet_v2"]}" }}
real = "real.json"
imagenet_a = "a"
imagenet_r = "r"
sketch = "sketch"
stylized = "stylized"
imagenet_c = "c"
imagenet_c_bar = "cbar"
own = [{{ csv = "{own.root.name}/photos.csv" }}]
groups = {{ mine = ["photos", "sketch"], concepts = ["sketch"] }}
allow_partial = true
"""
    (tmp_path / "study.toml").write_text(text)
    study = read_study(tmp_path / "study.toml")
    assert study.probes[0].config() == probe.config()
    assert study.data.name == "drawn[partial]"
    assert "imagenet_c[partial]: 1 model x 1 condition x 475 images" in str(study.plan())
    (tmp_path / "study.toml").write_text(text.replace("allow_partial = true\n", ""))
    with pytest.raises(vb.DataError, match=r"not the whole of ImageNet's validation set"):
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "wanted at least one set"),
        ({"real": "real.json"}, "real labels ImageNet's validation set; give imagenet_val too"),
        ({"allow_partial": 1}, "allow_partial must be True or False"),
        ({"sketch": "", "groups": {"mine": ["sketch", "imagenet_a"]}}, r"names imagenet_a; the sets are sketch, pgd"),
        ({"sketch": "", "groups": {"mine": "sketch"}}, "must be a list of sets"),
        ({"sketch": "", "groups": {"top1": ["sketch"]}}, "the name 'top1' is taken"),
        ({"sketch": "", "groups": {"night": ["sketch"], "night_low": ["sketch"]}}, "the name 'night_low' is taken"),
        ({"sketch": "", "groups": {"night_sets": ["sketch"]}}, "the name 'night_sets' is taken"),
        ({"sketch": "", "groups": {"top[1]": ["sketch"]}}, r"the name 'top\[1\]' is taken"),
        ({"sketch": "", "groups": ["sketch"]}, "groups must map names"),
        ({"sketch": "", "groups": {3: ["sketch"]}}, "the name 3 is taken, or no name"),
        ({"sets": {"sketch": "sketch"}}, r"sets must be as config\(\) gives them"),
        ({"own": "photos"}, "own must be a list"),
        ({"own": [3]}, "own must hold data sets or folders, got 3"),
    ],
)
def test_bad_options(copies: dict[str, Path], options: dict[str, object], message: str) -> None:
    given = {"allow_partial": True} | options | ({"sketch": copies["sketch"]} if "sketch" in options else {})
    with pytest.raises(vb.RunError, match=message):
        vb.Generalization(**given)  # type: ignore[arg-type]


def test_own_set_with_the_name_of_another(own: vb.CsvManifest) -> None:
    for name in ("sketch", "imagenet_c_15", "top1", "robustness", "x_low", "x_high", "x_n", "x[dusk]"):
        data = vb.CsvManifest(own.root / "photos.csv", name=name)
        with pytest.raises(vb.RunError, match=re.escape(f"the name '{name}' is taken")):
            vb.Generalization(own=[data])
