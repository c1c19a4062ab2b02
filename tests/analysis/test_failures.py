# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Failures: every number against pandas on all records at once, the images behind a row, and unfinished runs."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import visionbias as vb
from visionbias.analysis import failures, slice_samples
from visionbias.records.manifest import write_manifest
from visionbias.records.reader import open_records
from visionbias.records.samples import write_samples
from visionbias.records.schema import SCHEMA_VERSION
from visionbias.records.writer import write_records

MODELS = ("a", "b", "c")
SETS = {  # data set -> (conditions, samples)
    "photos": (("clean", "blur", "noise"), 300),
    "sketches": (("sketches/clean",), 60),
    "mixed": (("mixed/phase",), 60),
}
CLASSES = ("bear", "cat", "dog")


def write_run(folder: Path) -> None:
    """Photos of three classes and two cameras, or none; sketches; and a set that is never shown unchanged."""
    rng = np.random.default_rng(0)
    for name, (conditions, n) in SETS.items():
        label = np.arange(n) * 3 // n
        ids = np.array([f"{CLASSES[k]}/{i:04d}.png" for i, k in enumerate(label)], dtype=object)
        group = [("old", "new", None)[i % 7 % 3] for i in range(n)]
        columns = {"sample_id": ids, "category": [CLASSES[k] for k in label]}
        columns["group"] = group if name == "photos" else [None] * n
        write_samples(folder, name, columns | {"texture": [None] * n, "category16": [None] * n})
        for m, model in enumerate(MODELS):
            for f, condition in enumerate(conditions):
                chance = np.full(n, 0.9 - 0.2 * f)
                if model == "a" and condition == "blur":
                    chance[label == 1] = 0.05
                if model == "b" and condition == "noise":
                    chance[[g == "old" for g in group]] = 0.05
                hit = rng.random(n) < chance
                write_records(
                    folder / "records",
                    model,
                    condition,
                    0,
                    {
                        "sample_id": ids,
                        "label": label,
                        "pred": np.where(hit, label, (label + 1 + m % 2) % 3),
                        "in_top5": np.ones(n, bool),
                        "p_label": np.zeros(n),
                        "margin": np.zeros(n),
                    },
                )
    preprocessing = {model: {"preprocessing": {"crop": 32}} for model in MODELS}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "study": {
            "models": {model: {"precision": "float32", "compiled": False} for model in MODELS},
            "probes": [{"probe": "accuracy"}],
            "forward_batch": 4,
            "data": {name: {"models": preprocessing} for name in SETS},
        },
        "data_sets": {
            name: {"n": n, "classes": list(CLASSES), "conditions": list(conditions), "bad_samples": []}
            for name, (conditions, n) in SETS.items()
        },
        "sessions": [],
    }
    write_manifest(folder, manifest)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(finished, tmp_path / "run")


def by_pandas(folder: Path) -> pd.DataFrame:
    """Accuracy of every (model, condition, kind, slice)."""
    records = open_records(folder / "records").to_table().to_pandas()
    records["correct"] = (records["pred"] == records["label"]).astype(float)
    parts = []
    for name, (conditions, _) in SETS.items():
        samples = pd.read_parquet(folder / "samples" / f"{name}.parquet")
        own = records[records["condition"].isin(conditions)].merge(samples, on="sample_id").assign(everything="all")
        for kind, column in (("condition", "everything"), ("class", "category"), ("group", "group")):
            found = own.dropna(subset=[column]).groupby(["model", "condition", column])["correct"].agg(["mean", "size"])
            parts.append(found.rename_axis(["model", "condition", "slice"]).reset_index().assign(kind=kind, data=name))
    return pd.concat(parts, ignore_index=True)


def test_every_number(finished: Path) -> None:
    wanted = by_pandas(finished)
    keys = ["model", "data", "condition", "kind", "slice"]
    accuracy = wanted.set_index(keys)["mean"]
    for against in ("clean", "others"):
        found = failures(finished, against=against, top=10_000, min_n=1)
        assert list(found.columns) == [*keys, "n", "accuracy", "clean", "others", "lost", "lost_low", "lost_high"]
        shown = {"clean": 2, "others": 3}[against] * len(MODELS) * (1 + 3 + 2)  # conditions of the photos
        assert len(found) == shown + 2 * len(MODELS) * (1 + 3)
        assert not found.duplicated(keys).any()
        assert found["lost_low"].is_monotonic_decreasing
        for row in found.to_dict("records"):
            key = tuple(row[name] for name in keys)
            assert row["accuracy"] == pytest.approx(accuracy[key], abs=1e-12)
            assert row["n"] == wanted.set_index(keys)["size"][key]
            others = np.mean([accuracy[(m, *key[1:])] for m in MODELS if m != key[0]])
            assert row["others"] == pytest.approx(others, abs=1e-12)
            clean = accuracy[row["model"], "photos", "clean", row["kind"], row["slice"]]  # the classes are as large
            assert row["clean"] == pytest.approx(clean, abs=1e-12)
            assert row["lost"] == pytest.approx(row[against] - row["accuracy"], abs=1e-12)
            assert row["lost_low"] < row["lost"] < row["lost_high"]


def test_the_worst_comes_first(finished: Path) -> None:
    for against in ("clean", "others"):
        found = failures(finished, against=against, top=1)
        assert found.groupby(["model", "kind"]).size().to_dict() == {(m, k): 1 for m in MODELS for k in found["kind"]}
        of_class = found[(found["model"] == "a") & (found["kind"] == "class")].iloc[0]
        assert of_class[["condition", "slice"]].tolist() == ["blur", "cat"]
        of_group = found[(found["model"] == "b") & (found["kind"] == "group")].iloc[0]
        assert of_group[["condition", "slice"]].tolist() == ["noise", "old"]
        pd.testing.assert_frame_equal(
            failures(finished, against=against, top=1, models=["b"]),
            found[found["model"] == "b"].reset_index(drop=True),
        )


def test_small_slices_are_not_listed(finished: Path) -> None:
    sizes = failures(finished, against="others", top=10_000, min_n=1)["n"]
    assert (sizes == 20).any()
    assert failures(finished, against="others", top=10_000, min_n=21)["n"].min() > 21


def test_the_images_of_a_row_are_a_data_set(finished: Path, tmp_path: Path) -> None:
    found = failures(finished, top=1)
    row = found[(found["model"] == "b") & (found["kind"] == "group")].iloc[0]
    images = slice_samples(finished, row)
    assert list(images.columns) == ["path", "label", "group", "correct", "clean"]
    assert len(images) == row["n"]
    assert images["correct"].mean() == pytest.approx(row["accuracy"])
    assert images["clean"].mean() == pytest.approx(row["clean"])
    assert set(images["group"]) == {"old"}
    for kind, column in (("class", "label"), ("condition", None)):
        other = found[found["kind"] == kind].iloc[0]
        images_of = slice_samples(finished, other)
        assert len(images_of) == other["n"]
        assert column is None or set(images_of[column]) == {other["slice"]}
    lost = images[images["clean"] & ~images["correct"]]
    lost.to_csv(tmp_path / "worst.csv", index=False)
    again = vb.CsvManifest(tmp_path / "worst.csv", classes=lost["label"].cat.categories)
    assert [sample.id for sample in again.samples] == sorted(lost["path"])
    assert set(again.groups) == {"old"}
    assert again.classes == CLASSES


def test_images_without_an_unchanged_version(finished: Path) -> None:
    found = failures(finished, against="others", top=10_000)
    images = slice_samples(finished, found[found["data"] == "mixed"].iloc[0])
    assert images["clean"].isna().all()


def test_models_without_all_records_are_left_out(run: Path) -> None:
    shutil.rmtree(next(run.glob("records/model=c/condition=blur")))
    found = failures(run, against="others", top=10_000)
    assert set(found["model"]) == {"a", "b"}
    accuracy = by_pandas(run).set_index(["model", "condition", "kind", "slice"])["mean"]
    row = found[(found["model"] == "a") & (found["condition"] == "noise") & (found["kind"] == "class")].iloc[0]
    assert row["others"] == pytest.approx(accuracy["b", "noise", "class", row["slice"]])
    shutil.rmtree(next(run.glob("records/model=b")))
    assert failures(run)["others"].isna().all()
    with pytest.raises(vb.RunError, match="only a has all of its records"):
        failures(run, against="others")
    shutil.rmtree(run / "records")
    with pytest.raises(vb.RunError, match="no model has all of its records"):
        failures(run)


def write_hits(folder: Path, sets: dict[str, dict[str, tuple[int, ...]]]) -> None:
    """A run of the models "a", always right, and "b": data set -> class -> whether "b" is right on each image."""
    names = {name: "clean" if i == 0 else f"{name}/clean" for i, name in enumerate(sets)}
    for name, of_classes in sets.items():
        classes = sorted(of_classes)
        label = np.repeat(np.arange(len(classes)), [len(of_classes[one]) for one in classes])
        right = np.concatenate([np.array(of_classes[one], bool) for one in classes])
        ids = [f"{classes[k]}/{name}-{i}.png" for i, k in enumerate(label)]
        none = dict.fromkeys(("texture", "group", "category16"), [None] * len(ids))
        write_samples(folder, name, {"sample_id": ids, "category": [classes[k] for k in label]} | none)
        for model, hit in (("a", np.ones_like(right)), ("b", right)):
            rows = {"sample_id": ids, "label": label, "pred": np.where(hit, label, (label + 1) % 3)}
            rest = {"in_top5": right, "p_label": np.zeros(len(ids)), "margin": np.zeros(len(ids))}
            write_records(folder / "records", model, names[name], 0, rows | rest)
    described = {
        name: {
            "n": sum(map(len, of_classes.values())),
            "classes": sorted(of_classes),
            "conditions": [names[name]],
            "bad_samples": [],
        }
        for name, of_classes in sets.items()
    }
    seen = {"models": {model: {"preprocessing": {"crop": 32}} for model in "ab"}}
    models = {model: {"precision": "float32", "compiled": False} for model in "ab"}
    study = {"models": models, "probes": [{"probe": "accuracy"}], "forward_batch": 4, "data": dict.fromkeys(sets, seen)}
    whole = {"schema_version": SCHEMA_VERSION, "study": study, "data_sets": described, "sessions": []}
    write_manifest(folder, whole)


def test_other_images_are_compared_with_clean_ones_of_the_same_classes(tmp_path: Path) -> None:
    """By hand: ImageNet's validation set, and not the study's own images, is what a benchmark is held against."""
    sets = {
        "photos": {"ape": (0, 0), "bee": (0, 0)},
        "imagenet_val[partial]": {"ape": (1, 1, 1, 0), "bee": (1, 0), "cow": (1, 1)},  # 3/4, 1/2, 1
        "sketch": {"ape": (1, 0), "bee": (0, 0, 0, 0, 1, 0)},  # 1/2, 1/6; in all 2/8
        "toys": {"ape": (1, 0), "doll": (0, 0)},  # the validation set has no dolls
    }
    write_hits(tmp_path, sets)
    found = failures(tmp_path, models=["b"], min_n=1).set_index(["data", "slice"])
    assert set(found.index) == {("sketch", "all"), ("sketch", "ape"), ("sketch", "bee"), ("toys", "ape")}
    wanted = {  # (accuracy, clean)
        ("sketch", "all"): (1 / 4, (2 * 3 / 4 + 6 * 1 / 2) / 8),
        ("sketch", "ape"): (1 / 2, 3 / 4),
        ("sketch", "bee"): (1 / 6, 1 / 2),
        ("toys", "ape"): (1 / 2, 3 / 4),
    }
    for key, (accuracy, clean) in wanted.items():
        assert found.loc[key, ["accuracy", "clean", "lost"]].tolist() == pytest.approx(
            [accuracy, clean, clean - accuracy]
        )
    assert found["lost_low"].is_monotonic_decreasing


def test_clean_images_of_a_benchmark_of_its_own_come_first(tmp_path: Path) -> None:
    sets = {
        "imagenet_val": {"ape": (1, 1), "bee": (1, 1)},
        "imagenet_a": {"ape": (0, 1)},
        "imagenet_a_clean": {"ape": (1, 1, 1, 0)},
    }
    write_hits(tmp_path, sets)
    found = failures(tmp_path, models=["b"], min_n=1)
    assert set(found["data"]) == {"imagenet_a"}
    assert found["clean"].tolist() == [0.75, 0.75]


def test_a_run_of_one_condition_is_compared_with_the_other_models(tmp_path: Path) -> None:
    write_hits(tmp_path, {"photos": {"ape": (1, 0), "bee": (0, 0, 0, 1)}})
    assert failures(tmp_path, min_n=1).empty
    found = failures(tmp_path, against="others", models=["b"], min_n=1)
    assert found[["slice", "accuracy", "others", "lost"]].to_numpy().tolist() == [
        ["all", pytest.approx(1 / 3), 1.0, pytest.approx(2 / 3)],  # of six images, so surer than of four
        ["bee", 0.25, 1.0, 0.75],
        ["ape", 0.5, 1.0, 0.5],
    ]
    images = slice_samples(tmp_path, found.iloc[1])
    assert images.loc[~images["correct"], "path"].tolist() == [f"bee/photos-{i}.png" for i in (2, 3, 4)]


def test_a_run_without_anything_to_lose_has_no_rows(run: Path) -> None:
    """Clean images alone: nothing to compare with them."""
    manifest = vb.open_run(run).manifest
    manifest["data_sets"] = {"sketches": manifest["data_sets"]["sketches"]}
    write_manifest(run, manifest)
    found = failures(run)
    assert len(found) == 0
    assert "lost" in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"against": "humans"}, "wanted against 'clean' or 'others'"),
        ({"top": 0}, "whole numbers of 1 or more"),
        ({"min_n": 2.5}, "whole numbers of 1 or more"),
        ({"models": ["a", "z"]}, "has no model z; it has a, b, c"),
    ],
)
def test_options_that_cannot_be_used(finished: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(vb.RunError, match=message):
        failures(finished, **options)  # type: ignore[arg-type]


def test_models_by_any_list_of_names(finished: Path) -> None:
    wanted = failures(finished, models=["a", "b"])
    assert len(wanted)
    for models in (np.array(["a", "b"]), (name for name in "ab")):
        pd.testing.assert_frame_equal(failures(finished, models=models, top=np.int64(20)), wanted)  # type: ignore[arg-type]
    for wrong in (5, [5], "a"):
        with pytest.raises(vb.DataError, match="failures: models must be a list of names"):
            failures(finished, models=wrong)  # type: ignore[arg-type]


def test_folders_and_rows_that_cannot_be_used(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(vb.RunError, match="holds no run"):
        failures(tmp_path)
    row = failures(finished).iloc[0].to_dict()
    with pytest.raises(vb.RunError, match="holds no run"):
        slice_samples(tmp_path, row)
    for changes in ({"model": "z"}, {"data": "z"}, {"condition": "z"}, {"kind": "z"}, {"kind": "class", "slice": "z"}):
        with pytest.raises(vb.RunError, match=r"wanted a row of failures\(\)"):
            slice_samples(finished, row | changes)
    for wrong in ({}, None, "worst", {"model": "a"}):
        with pytest.raises(vb.RunError, match=r"wanted a row of failures\(\), such as its .iloc\[0\], got"):
            slice_samples(finished, wrong)  # type: ignore[arg-type]
