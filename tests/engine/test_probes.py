# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Probes of every kind through the engine: their records, their numbers, and what does not change them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from run_folders import records_of

import visionbias as vb

Make = Callable[..., vb.Study]
FLAT = vb.Normalization((0.0,) * 3, (1.0,) * 3)


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
