# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Among which classes a model decides: one's own, ImageNet's, or the 16 categories."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hooked_network import Hooked
from PIL import Image
from run_folders import records_of
from torch import Tensor, nn

import visionbias as vb

Make = Callable[..., vb.Study]


def test_own_classes_of_a_network_that_sees_textures_only(image_folder: Path, tmp_path: Path) -> None:
    """A known answer on one's own classes: amplitudes decide, phases do not."""
    by_class = {}
    for label, stripes in enumerate((2, 4, 8)):
        wave = 127 + 80 * np.sign(np.sin(2 * np.pi * stripes * (np.arange(32) + 0.5) / 32))
        for i in range(6):
            image = np.repeat(np.roll(wave, i)[None, :, None], 32, axis=0).repeat(3, axis=2).astype(np.uint8)
            path = tmp_path / "stripes" / f"s{stripes}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        by_class[f"s{stripes}"] = label

    def amplitudes(x: Tensor) -> Tensor:
        rows = torch.fft.rfft(x.mean(dim=(1, 2))).abs()
        return torch.stack([rows[:, k] for k in (2, 4, 8)], dim=1)

    data = vb.ImageFolder(tmp_path / "stripes", precropped=True)
    study = vb.Study(
        models=[("amplitudes", amplitudes)],
        data=data,
        probes=[vb.Accuracy(), vb.ShapeBias(vb.CueConflict(data, data))],
        preprocessing=vb.Preprocessing(resize=None, crop=32),
        decode="pillow",
        device="cpu",
    )
    summary = study.run(tmp_path / "run", progress=False).summary().iloc[0]
    assert summary["top1"] == 1
    assert summary["shape_bias"] == 0
    assert summary["cue_accuracy"] == 1


def test_a_slice_is_a_data_set_that_is_decided_as_it_was(make_study: Make, image_folder: Path, tmp_path: Path) -> None:
    run = make_study().run(tmp_path / "run", progress=False)
    worst = vb.analysis.failures(run.folder, top=1, min_n=1).query("kind == 'class'").iloc[0]
    images = vb.analysis.slice_samples(run.folder, worst)
    images.to_csv(tmp_path / "worst.csv", index=False)
    with pytest.raises(vb.DataError, match="label_map="):  # one class
        make_study(data=vb.CsvManifest(tmp_path / "worst.csv", root=image_folder)).run(tmp_path / "one", progress=False)
    data = vb.CsvManifest(tmp_path / "worst.csv", root=image_folder, classes=images["label"].cat.categories)
    again = records_of(make_study(data=data).run(tmp_path / "again", progress=False))
    own = again[(again["model"] == worst["model"]) & (again["condition"] == worst["condition"])]
    assert (own["pred"] == own["label"]).mean() == worst["accuracy"]
    assert len(own) == worst["n"]


OWN = ("badge", "cup", "drill", "fork", "glove", "hat", "lamp", "mug", "shoe", "tape")


@pytest.fixture
def own_cues(tmp_path: Path) -> Path:
    """Conflicting cues of ten own classes: the shape's number is in the red channel, the texture's in the green one."""
    for shape, name in enumerate(OWN):
        for step in (1, 3, 4):
            texture = (shape + step) % 10
            path = tmp_path / "own" / name / f"{name}{step}-{OWN[texture]}{step}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (20 * shape, 20 * texture, 0)).save(path)
    return tmp_path / "own"


@pytest.mark.parametrize(("channel", "bias"), [(0, 1.0), (1, 0.0)])
def test_ten_own_classes_through_a_label_map(own_cues: Path, tmp_path: Path, channel: int, bias: float) -> None:
    """A network of 30 classes, three for each own one in another order, that looks at one cue only."""
    order = np.random.default_rng(0).permutation(30)
    label_map = {name: [int(i) for i in order[3 * c : 3 * c + 3]] for c, name in enumerate(OWN)}

    def model(x: Tensor) -> Tensor:
        usual = vb.Normalization()
        pixels = x[:, channel].mean(dim=(1, 2)) * usual.std[channel] + usual.mean[channel]
        own = (pixels * 255 / 20).round().long()
        logits = torch.zeros(len(x), 30)
        logits[torch.arange(len(x)), torch.from_numpy(order)[3 * own + 1]] = 9.0
        return logits

    def study(label_map: object) -> vb.Study:
        data = vb.CueConflictFolder(own_cues, label_map=label_map)  # type: ignore[arg-type]
        return vb.Study(
            models=[("one-cue", model)],
            data=data,
            probes=[vb.ShapeBias(vb.CueConflictFolder(own_cues, label_map=label_map, name="cues"))],  # type: ignore[arg-type]
            preprocessing=vb.Preprocessing(resize=None, crop=32),
            decode="pillow",
            device="cpu",
        )

    summary = study(label_map).run(tmp_path / "run", progress=False).summary().iloc[0]
    assert (summary["shape_bias"], summary["cue_accuracy"], summary["shape_bias_n"]) == (bias, 1.0, 30)
    assert all(summary[f"shape_bias[{name}]"] == bias for name in OWN)
    with pytest.raises(vb.DataError, match="classes of the data without an entry: tape;"):
        study({name: members for name, members in label_map.items() if name != "tape"})
    with pytest.raises(vb.DataError, match=r"the model has 30 classes and the data 10 \(badge, cup"):
        study(None).run(tmp_path / "unmapped", progress=False)


def wnid(index: int) -> str:
    """The WordNet id of one of ImageNet's 1000 classes."""
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet-1k").label_names()[index]


def wordnet_photos(folder: Path, indices: Iterable[int], n: int) -> Path:
    """A folder with n random images of 32 x 32 pixels of each of these classes."""
    rng = np.random.default_rng(5)
    for name in map(wnid, indices):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / name / f"{i}.png")
    return folder


class Thousand(nn.Module):
    """Logits of 1000 classes that vary with the image."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.head = nn.Linear(27, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return 5 * self.head(nn.functional.adaptive_avg_pool2d(x, 3).flatten(1))


def test_sixteen_way_decisions_are_recorded_and_used(cue_folder: Path, tmp_path: Path) -> None:
    model = Thousand().eval()
    study = vb.Study(
        models=[("thousand", model)],
        data=vb.CueConflictFolder(cue_folder, name="cues"),
        probes=[
            vb.Accuracy(),
            vb.ShapeBias(cue_folder),
            vb.CriticalBand(bands=(4, 5, 6), noise_sds=(0.1,), decision="categories16"),
        ],
        preprocessing=vb.Preprocessing(resize=None, crop=32),
        decode="pillow",
        device="cpu",
    )
    run = study.run(tmp_path / "run", progress=False)
    frame = records_of(run).query("condition == 'conflict/clean'")
    with torch.no_grad():
        (batch,) = vb.stimuli(
            study.data, [vb.Accuracy()], preprocessing=study.preprocessing, decode="pillow", device="cpu"
        )
        decided = vb.metrics.decide16(model(batch.images))
    assert frame["decision16"].tolist() == decided.tolist()
    categories = np.array(vb.metrics.CATEGORIES16)[decided]
    classes = np.array(study.data.classes)
    wanted = vb.metrics.shape_bias(
        classes[[s.label for s in study.data.samples]], classes[list(study.data.textures)], categories
    )
    row = run.summary().iloc[0]
    assert row["shape_bias"] == pytest.approx(wanted.shape_bias, nan_ok=True)
    assert row["cue_accuracy"] == wanted.cue_accuracy
    assert row["shape_bias_n"] == wanted.n_shape + wanted.n_texture
    assert row["shape_bias_decision"] == "categories16"


def test_the_decision_can_be_chosen(cue_folder: Path, make_study: Make, tmp_path: Path) -> None:
    def row(name: str, decision: str) -> pd.Series:
        study = make_study(
            models=[("thousand", Thousand().eval())],
            data=vb.CueConflictFolder(cue_folder, name="cues"),
            probes=[vb.ShapeBias(cue_folder, decision=decision)],  # type: ignore[arg-type]
        )
        return study.run(tmp_path / name, progress=False).summary().iloc[0]

    among_three = row("data", "data")
    assert among_three["shape_bias_decision"] == "data"
    assert among_three["cue_accuracy"] > row("auto", "auto")["cue_accuracy"]
    pd.testing.assert_series_equal(row("auto", "auto"), row("sixteen", "categories16"))
    with pytest.raises(vb.DataError, match="need models of ImageNet's 1000"):
        make_study(probes=[vb.ShapeBias(cue_folder, decision="categories16")]).run(tmp_path / "few", progress=False)


def test_a_set_that_a_benchmark_shows_too_is_checked_for_the_categories(
    cue_folder: Path, make_study: Make, tmp_path: Path
) -> None:
    own = vb.Generalization(own=[vb.CueConflictFolder(cue_folder, name="cues")])
    shape_bias = vb.ShapeBias(vb.CueConflictFolder(cue_folder, name="cues"), decision="categories16")
    with pytest.raises(vb.DataError, match="need models of ImageNet's 1000"):
        make_study(probes=[own, shape_bias]).run(tmp_path / "run", progress=False)


def test_a_run_that_has_shown_no_category_yet_has_a_summary_and_a_report(tmp_path: Path) -> None:
    """Its first images by id are of ImageNet's classes outside the 16 categories."""
    photos = wordnet_photos(tmp_path / "photos", (0, 817), 8)  # a tench, a sports car

    def interrupt() -> None:
        raise KeyboardInterrupt

    study = vb.Study(
        models=[("thousand", Hooked(Thousand(), 10, interrupt).eval())],
        data=vb.ImageFolder(photos),
        probes=[vb.Accuracy(), vb.CriticalBand(bands=(4, 5, 6), noise_sds=(0.1,), decision="categories16")],
        preprocessing=vb.Preprocessing(resize=None, crop=32),
        decode="pillow",
        device="cpu",
        forward_batch=8,
    )
    with pytest.raises(KeyboardInterrupt):
        study.run(tmp_path / "run", progress=False)
    run = vb.open_run(tmp_path / "run")
    row = run.summary().iloc[0]
    assert row["n"] == 8
    assert np.isfinite(row["top1"])
    assert "channel_bandwidth" not in row.dropna()
    run.report(tmp_path / "report.html")


def test_wordnet_ids_are_decided_among_themselves(make_study: Make, tmp_path: Path) -> None:
    """Some belong to a category, so that decisions among the 16 are recorded, which no folder is named after."""
    photos = wordnet_photos(tmp_path / "photos", (423, 766, 0), 3)
    study = make_study(
        models=[("thousand", Thousand().eval())], data=photos, probes=[vb.ShapeBias(vb.CueConflict(photos, photos))]
    )
    row = study.run(tmp_path / "run", progress=False).summary().iloc[0]
    assert row["shape_bias_decision"] == "data"
    assert row["cue_accuracy"] > 0


def test_critical_band_over_the_categories_or_the_classes(tmp_path: Path) -> None:
    """Images labeled by WordNet ids, two of them members of a category, and one of none."""
    photos = wordnet_photos(tmp_path / "images", (423, 766, 0), 8)
    members = {wnid(423): "chair", wnid(766): "oven", wnid(0): None}

    def shares(decision: str) -> tuple[float, pd.DataFrame]:
        study = vb.Study(
            models=[("thousand", Thousand().eval())],
            data=vb.ImageFolder(photos),
            probes=[vb.CriticalBand(bands=(4, 5, 6), noise_sds=(0.1,), decision=decision)],  # type: ignore[arg-type]
            preprocessing=vb.Preprocessing(resize=32, crop=32),
            decode="pillow",
            device="cpu",
        )
        run = study.run(tmp_path / decision, progress=False)
        return run.summary()["low_contrast_accuracy"][0], records_of(run).query("condition == 'low-contrast'")

    accuracy, frame = shares("categories16")
    category = frame["sample_id"].str.split("/").str[0].map(members)
    decided = np.array(vb.metrics.CATEGORIES16)[frame["decision16"].astype(int)]
    assert 0 < accuracy == (decided == category)[category.notna()].mean()
    assert accuracy != (decided == category).mean()
    accuracy, frame = shares("data")
    assert accuracy == (frame["pred"] == frame["label"]).mean()


def test_categories_that_the_model_does_not_know(make_study: Make, cue_folder: Path, tmp_path: Path) -> None:
    data = vb.CueConflictFolder(cue_folder, name="cues", label_map={"cat": 0, "dog": 1, "car": 7})
    with pytest.raises(vb.DataError, match="car -> 7"):
        make_study(probes=[vb.ShapeBias(data)]).run(tmp_path / "run", progress=False)
