# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Probes of every kind through the engine: their records, their numbers, and what does not change them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hooked_network import Hooked
from PIL import Image
from torch import Tensor, nn

import visionbias as vb

Make = Callable[..., vb.Study]


def records_of(run: vb.Run) -> pd.DataFrame:
    """All records in one order."""
    frame = run.records().to_table().to_pandas()
    return frame.sort_values(["model", "condition", "sample_id"], ignore_index=True)


@pytest.fixture(scope="module")
def cue_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of three categories, two of them without conflict."""
    root = tmp_path_factory.mktemp("cue") / "conflict"
    rng = np.random.default_rng(3)
    names = ["class_0", "class_1", "class_2"]
    letters = dict(zip(names, ("cat", "dog", "car"), strict=True))
    for i in range(12):
        shape, texture = letters[names[i % 3]], letters[names[i % 2]]
        path = root / shape / f"{shape}{i}-{texture}{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def probes(cue_folder: Path) -> list[object]:
    """One of every kind, at the size of the study."""
    return [
        vb.Accuracy(),
        vb.CriticalBand(bands=(3, 4, 5, 6), noise_sds=(0.05, 0.3)),
        vb.ShapeBias(cue_folder),
        vb.FeatureSuppression(grids=(2, 4), cutoffs=(0.3,), strengths=(0.5, 1.0)),
    ]


@pytest.fixture(scope="module")
def reference(make_study: Make, probes: list[object], tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    """The run that the variants are compared with."""
    return make_study(probes=probes).run(tmp_path_factory.mktemp("reference") / "run", progress=False)


def test_every_condition_has_every_sample(reference: vb.Run) -> None:
    frame = records_of(reference)
    counts = frame[frame["model"] == "first"].groupby("condition")["sample_id"].nunique()
    noise = [f"noise-{sd}-band-{band}" for sd in ("0.05", "0.3") for band in (3, 4, 5, 6)]
    shown = ["clean", "low-contrast", *noise, "patch-shuffle-2", "patch-shuffle-4"]
    shown += ["lowpass-0.3-gaussian", "desaturate-0.5", "desaturate-1"]
    assert counts.to_dict() == dict.fromkeys(shown, 37) | {"conflict/clean": 12}


def test_numbers_are_those_of_the_records(reference: vb.Run) -> None:
    frame = records_of(reference)
    first = reference.summary().iloc[0]
    own = frame[(frame["model"] == "first") & (frame["condition"] == "conflict/clean")]
    names = np.array(["car", "cat", "dog"])
    decided = names[own["pred"].to_numpy()]
    cues = own["sample_id"].str.extract(r"/([a-z]+)\d+-([a-z]+)\d+")
    conflict = (cues[0] != cues[1]).to_numpy()
    by_shape = (decided == cues[0].to_numpy())[conflict].sum()
    by_texture = (decided == cues[1].to_numpy())[conflict].sum()
    assert first["cue_accuracy_n"] == conflict.sum() == 8
    assert first["shape_bias_n"] == by_shape + by_texture
    assert first.filter(regex=r"^shape_bias_n\[").sum() == by_shape + by_texture
    assert first["shape_bias_decision"] == "data"
    assert first["shape_bias"] == pytest.approx(by_shape / (by_shape + by_texture), nan_ok=True)
    correct = (frame["pred"] == frame["label"]).groupby([frame["model"], frame["condition"]]).mean()["first"]
    assert first["low_contrast_accuracy"] == correct["low-contrast"]
    assert first["without_shape_4"] == pytest.approx(correct["patch-shuffle-4"] / correct["clean"])
    assert first["color_reliance"] == pytest.approx(
        1 - (correct["desaturate-0.5"] + correct["desaturate-1"]) / 2 / correct["clean"]
    )
    assert (first["n"], first["bad"]) == (37, 0)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(
    reference: vb.Run, make_study: Make, probes: list[object], tmp_path: Path, batch_size: int
) -> None:
    run = make_study(probes=probes, batch_size=batch_size).run(tmp_path / "run", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


def test_three_shards_are_the_whole(reference: vb.Run, make_study: Make, probes: list[object], tmp_path: Path) -> None:
    for shard in ((2, 3), (0, 3), (1, 3)):
        run = make_study(probes=probes).run(tmp_path / "run", shard=shard, progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


@pytest.mark.parametrize("method", ["phase", "silhouette"])
def test_pairs_and_common_noise_are_the_same_for_any_batch_and_shard(
    make_study: Make, image_folder: Path, tmp_path: Path, method: str
) -> None:
    def study(batch_size: int) -> vb.Study:
        pairs = vb.CueConflict(image_folder, image_folder, method=method, per_image=2)  # type: ignore[arg-type]
        noise = vb.CriticalBand(bands=(3, 4, 6), noise_sds=(0.05, 0.5), common_random_numbers=True)
        return make_study(probes=[vb.ShapeBias(pairs), noise], batch_size=batch_size)

    whole = study(64).run(tmp_path / "whole", progress=False)
    for shard in ((1, 3), (2, 3), (0, 3)):
        parts = study(5).run(tmp_path / "parts", shard=shard, progress=False)
    frame = records_of(whole)
    assert len(frame) == 2 * (74 + 7 * 37)
    pd.testing.assert_frame_equal(records_of(parts), frame, check_exact=True)
    assert parts.summary().to_csv() == whole.summary().to_csv()


def test_the_seed_changes_what_is_random_and_nothing_else(
    reference: vb.Run, make_study: Make, probes: list[object], tmp_path: Path
) -> None:
    run = make_study(probes=probes, seed=1).run(tmp_path / "run", progress=False)
    same = (records_of(run)["margin"] == records_of(reference)["margin"]).groupby(records_of(reference)["condition"])
    random = same.mean().index[same.mean() < 0.5]
    assert all(name.startswith(("noise-", "patch-shuffle")) for name in random)
    assert len(random) == 8 + 2


def test_a_run_is_scored_where_the_images_are_not(make_study: Make, cue_folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    cue_folder_copy = tmp_path / "conflict"
    cue_folder_copy.mkdir()
    for path in cue_folder.rglob("*.png"):
        (cue_folder_copy / path.parent.name).mkdir(exist_ok=True)
        (cue_folder_copy / path.parent.name / path.name).write_bytes(path.read_bytes())
    run = make_study(probes=[vb.ShapeBias(cue_folder_copy)]).run(tmp_path / "run", progress=False)
    before = run.summary().to_csv()
    cue_folder_copy.rename(moved)
    assert vb.open_run(tmp_path / "run").summary().to_csv() == before


def test_stimuli_of_all_probes(image_folder: Path, probes: list[object]) -> None:
    options = {"device": "cpu", "preprocessing": vb.Preprocessing(resize=36, crop=32), "decode": "pillow"}
    shown = {}
    for batch in vb.stimuli(image_folder, probes, batch_size=64, **options):  # type: ignore[arg-type]
        assert batch.images.isfinite().all()
        shown[batch.condition] = batch
    assert len(shown) == 1 + 9 + 1 + 5
    assert list(shown)[-1] == "conflict/clean"
    noisy, still = shown["noise-0.05-band-6"].images, shown["low-contrast"].images
    assert ((noisy - still) * torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)).std() == pytest.approx(0.047, abs=0.01)


@pytest.mark.parametrize("method", ["phase", "silhouette"])
def test_cue_conflict_made_on_the_fly(make_study: Make, image_folder: Path, tmp_path: Path, method: str) -> None:
    data = vb.CueConflict(image_folder, image_folder, method=method, seed=4, per_image=2)  # type: ignore[arg-type]
    assert len(data.samples) == 74
    assert all(texture != sample.label for texture, sample in zip(data.textures, data.samples, strict=True))
    again = vb.CueConflict(image_folder, image_folder, method=method, seed=4, per_image=2)  # type: ignore[arg-type]
    assert again.describe() == data.describe()
    other = vb.CueConflict(image_folder, image_folder, method=method, seed=5, per_image=2)  # type: ignore[arg-type]
    assert other.describe() != data.describe()

    study = make_study(probes=[vb.ShapeBias(data)])
    run = study.run(tmp_path / "run", progress=False)
    summary = run.summary()
    assert (summary["cue_accuracy_n"] == 74).all()
    assert (summary["n"] == 74).all()

    options = {"device": "cpu", "preprocessing": vb.Preprocessing(resize=36, crop=32), "decode": "pillow"}
    plain = {}
    for batch in vb.stimuli(image_folder, [vb.Accuracy()], normalization=FLAT, **options):  # type: ignore[arg-type]
        plain |= dict(zip(batch.sample_ids, batch.images, strict=True))
    mixed = {}
    for batch in vb.stimuli(image_folder, [vb.ShapeBias(data)], batch_size=11, normalization=FLAT, **options):  # type: ignore[arg-type]
        mixed |= dict(zip(batch.sample_ids, batch.images, strict=True))
    assert list(mixed) == [sample.id for sample in data.samples]
    for id_, image in mixed.items():
        shape, texture = id_.split("+")
        wanted = vb.cue_conflict(plain[shape][None], plain[texture][None], method=method)[0]
        assert (image - wanted).abs().max() < 1e-5


FLAT = vb.Normalization((0.0,) * 3, (1.0,) * 3)


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
    from timm.data import ImageNetInfo

    wnids = ImageNetInfo("imagenet-1k").label_names()
    for wnid in (wnids[0], wnids[817]):  # a tench, a sports car
        (tmp_path / "photos" / wnid).mkdir(parents=True)
        for i in range(8):
            pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / wnid / f"{i}.png")

    def interrupt() -> None:
        raise KeyboardInterrupt

    study = vb.Study(
        models=[("thousand", Hooked(Thousand(), 10, interrupt).eval())],
        data=vb.ImageFolder(tmp_path / "photos"),
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
    from timm.data import ImageNetInfo

    wnids = ImageNetInfo("imagenet-1k").label_names()
    for wnid in (wnids[423], wnids[766], wnids[0]):
        (tmp_path / "photos" / wnid).mkdir(parents=True)
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / wnid / f"{i}.png")
    photos = tmp_path / "photos"
    study = make_study(
        models=[("thousand", Thousand().eval())], data=photos, probes=[vb.ShapeBias(vb.CueConflict(photos, photos))]
    )
    row = study.run(tmp_path / "run", progress=False).summary().iloc[0]
    assert row["shape_bias_decision"] == "data"
    assert row["cue_accuracy"] > 0


def test_critical_band_over_the_categories_or_the_classes(tmp_path: Path) -> None:
    """Images labeled by WordNet ids, two of them members of a category, and one of none."""
    from timm.data import ImageNetInfo

    wnids = ImageNetInfo("imagenet-1k").label_names()
    members = {wnids[423]: "chair", wnids[766]: "oven", wnids[0]: None}
    rng = np.random.default_rng(5)
    for wnid in members:
        for i in range(8):
            path = tmp_path / "images" / wnid / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)

    def shares(decision: str) -> tuple[float, pd.DataFrame]:
        study = vb.Study(
            models=[("thousand", Thousand().eval())],
            data=vb.ImageFolder(tmp_path / "images"),
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


def test_what_probes_refuse(make_study: Make, image_folder: Path, cue_folder: Path, tmp_path: Path) -> None:
    for make, kind, message in (
        (lambda: vb.ShapeBias(), vb.RunError, "wanted the images"),
        (lambda: vb.ShapeBias(5), vb.RunError, "data must be a folder of cue-conflict images"),
        (lambda: vb.ShapeBias(vb.ImageFolder(image_folder)), vb.RunError, "data must be a folder of cue-conflict"),
        (lambda: vb.ShapeBias(tmp_path / "absent"), vb.DataError, "absent is not there"),
        (lambda: vb.ShapeBias(image_folder), vb.DataError, "wanted a name like cat7-elephant1.png"),
        (lambda: vb.CriticalBand(bands=(1, 2)), vb.RunError, "three or more of 0 ... 6"),
        (lambda: vb.CriticalBand(bands=(6, 5, 4)), vb.RunError, "rising"),
        (lambda: vb.CriticalBand(noise_sds=(0.0, 0.1)), vb.RunError, "and rising"),
        (lambda: vb.CriticalBand(noise_sds=(0.1, 10.5)), vb.RunError, r"in \(0, 10\] and rising"),
        (lambda: vb.CriticalBand(noise_sds=(0.1, float("inf"))), vb.RunError, r"in \(0, 10\] and rising"),
        (lambda: vb.CriticalBand(noise_sds=(-0.1, 0.1)), vb.RunError, r"in \(0, 10\] and rising"),
        (lambda: vb.CriticalBand(noise_sds=(0.1, float("nan"))), vb.RunError, r"in \(0, 10\] and rising"),
        (lambda: vb.CriticalBand(noise_sds=(0.1, 10**400)), vb.RunError, "must be a number"),
        (lambda: vb.CriticalBand(noise_sds=np.ones((2, 2))), vb.RunError, "must be a number"),
        (lambda: vb.CriticalBand(bands=(5, 6, 7)), vb.RunError, "three or more of 0 ... 6"),
        (lambda: vb.CriticalBand(common_random_numbers=1), vb.RunError, "must be True or False"),
        (lambda: vb.SpectralBias(cutoffs=()), vb.RunError, "at least one cutoff"),
        (lambda: vb.SpectralBias(cutoffs=(0.5, float("nan"))), vb.DataError, r"in \[0, 1\], got nan"),
        (lambda: vb.SpectralBias(offset=2), vb.DataError, r"offset must be in \[0, 1\]"),
        (lambda: vb.SpectralBias(offset="grey"), vb.RunError, "offset must be a number"),
        (lambda: vb.ShapeBias(name="cues", decision="sixteen"), vb.RunError, "one of auto, categories16, data"),
        (lambda: vb.ShapeBias(name="cues", method="mix"), vb.RunError, "one of None, phase, silhouette"),
        (lambda: vb.ShapeBias(name=5), vb.RunError, "name must be a text"),
        (lambda: vb.ShapeBias(cue_folder, method="phase"), vb.RunError, "method is that of the images, None, got 'ph"),
        (lambda: vb.ShapeBias(vb.CueConflictFolder(cue_folder), name="x"), vb.RunError, "images, 'conflict', got 'x'"),
        (
            lambda: vb.ShapeBias(vb.CueConflict(image_folder, image_folder), decision="categories16"),
            vb.DataError,
            "got classes such as 'class_0'; try decision='data'",
        ),
        (
            lambda: vb.ShapeBias(
                vb.CueConflictFolder(cue_folder, label_map={"car": 0, "cat": 1, "dog": 2}), decision="categories16"
            ),
            vb.DataError,
            "no label map, got a label map",
        ),
        (lambda: vb.CriticalBand(noise_sds="0.1"), vb.RunError, "sequence of numbers"),
        (lambda: vb.CriticalBand(noise_sds=(0.02, 0.020000001)), vb.RunError, "differ in their first four digits"),
        (lambda: vb.CriticalBand(threshold=0), vb.RunError, "between 0 and 100"),
        (lambda: vb.CriticalBand(criterion="half"), vb.RunError, "one of absolute, relative"),
        (lambda: vb.FeatureSuppression(grids=()), vb.RunError, "at least one of grids"),
        (lambda: vb.FeatureSuppression(strengths=(0.5, 0.500001)), vb.RunError, "twice in its first four digits"),
        (lambda: vb.FeatureSuppression(grids=(2.5,)), vb.RunError, "whole numbers"),
        (lambda: vb.FeatureSuppression(cutoffs=(2.0,)), vb.DataError, r"in \[0, 1\]"),
        (lambda: vb.FeatureSuppression(strengths=(2.0,)), vb.RunError, r"strengths in \[0, 1\]"),
        (lambda: vb.CueConflict(image_folder, image_folder, method="x"), vb.DataError, "one of phase, silhouette"),
        (lambda: vb.CueConflict(image_folder, image_folder, seed=-1), vb.DataError, "seed must be a whole number"),
        (lambda: vb.CueConflict(image_folder, image_folder, seed=2**64), vb.DataError, "seed must be a whole number"),
        (lambda: vb.CueConflict(image_folder, image_folder, per_image=0), vb.DataError, r"in \[1, 2\^64\), got 0"),
        (lambda: vb.CueConflict(image_folder, image_folder, per_image=99), vb.DataError, "at least per_image=99"),
    ):
        with pytest.raises(kind, match=message):
            make()
    agreeing = tmp_path / "agreeing" / "cat"
    agreeing.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(agreeing / "cat1-cat2.png")
    with pytest.raises(vb.DataError, match="none of 1 images has a shape and a texture that disagree"):
        vb.ShapeBias(agreeing.parent)
    with pytest.raises(vb.RunError, match="two data sets of the study are named 'images'"):
        make_study(data=vb.ImageFolder(image_folder, name="images"), probes=[vb.ShapeBias(cue_folder, name="images")])
    with pytest.raises(vb.DataError, match=r"32 x 32 pixels: critical_band: .* have the bands 3"):
        make_study(probes=[vb.CriticalBand()]).run(tmp_path / "run", progress=False)
    with pytest.raises(vb.DataError, match="decisions among the 16 categories need models of ImageNet's 1000 classes"):
        make_study(probes=[vb.CriticalBand(bands=(4, 5, 6), decision="categories16")]).run(tmp_path / "b")


def test_categories_that_the_model_does_not_know(make_study: Make, cue_folder: Path, tmp_path: Path) -> None:
    data = vb.CueConflictFolder(cue_folder, name="cues", label_map={"cat": 0, "dog": 1, "car": 7})
    with pytest.raises(vb.DataError, match="car -> 7"):
        make_study(probes=[vb.ShapeBias(data)]).run(tmp_path / "run", progress=False)


def test_study_files_name_probes_with_images(cue_folder: Path, image_folder: Path, tmp_path: Path) -> None:
    from visionbias.engine.study_file import read_study

    path = tmp_path / "study.toml"
    head = f'models = ["timm:resnet18.a1_in1k"]\ndata = "{image_folder}"\n'
    path.write_text(
        f'{head}probes = ["critical_band", {{ probe = "shape_bias", data = "{cue_folder}" }}, '
        '{ probe = "feature_suppression", grids = [2] }]'
    )
    study = read_study(path)
    assert [arm.data.name for arm in study.arms] == [image_folder.name, "conflict"]
    pairs = f'data = {{ shapes = "{image_folder}", textures = "{image_folder}" }}'
    path.write_text(f'{head}probes = [{{ probe = "shape_bias", {pairs} }}]')
    assert read_study(path).conditions[0].endswith("/cue-conflict-phase")
    path.write_text(f'{head}probes = [{{ probe = "shape_bias", data = {{ shape = "x" }} }}]')
    with pytest.raises(vb.RunError, match="unknown key; allowed: folder, csv, cue_conflict, shapes"):
        read_study(path)
    path.write_text(f'{head}probes = [{{ probe = "shape_bias", folder = "x" }}]')
    with pytest.raises(vb.RunError, match="no option folder; allowed: data, name, method"):
        read_study(path)
