# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Published benchmarks: their layout, their label rule, and what of them is missing."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from benchmark_folders import CLASSES, link_images, small_copies, val_paths, wnid, write_images

import visionbias as vb
from visionbias.datasets.benchmarks import BENCHMARKS, C15, list_benchmarks, v2_variants
from visionbias.datasets.benchmarks.real_labels import read_real_labels
from visionbias.datasets.label_map import imagenet_wnids, resolve_label_map
from visionbias.datasets.sixteen import CATEGORIES16


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return small_copies(tmp_path_factory.mktemp("benchmarks"))


def _partial(name: str, root: Path, **options: object) -> vb.Benchmark:
    return vb.Benchmark(name, root, allow_partial=True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["imagenet_val", "imagenet_v2_matched_frequency", "sketch", "imagenet_c"])
def test_classes_are_the_thousand_in_order_of_wordnet_id(copies: dict[str, Path], name: str) -> None:
    data = _partial(name, copies[name.removesuffix("_matched_frequency")])
    assert data.classes == imagenet_wnids()
    assert {sample.label for sample in data.samples} == set(CLASSES)
    assert resolve_label_map(data.classes, None, 1000).members == tuple((i,) for i in range(1000))
    assert data.precropped == (name == "imagenet_c")


def test_folders_of_v2_are_numbers_whatever_their_order_as_text(tmp_path: Path) -> None:
    root = write_images(tmp_path / "imagenetv2-top-images-format-val", ["2/a.jpeg", "10/b.jpeg", "0999/c.jpeg"], 0)
    data = _partial("imagenet_v2_top_images", root)
    assert {sample.id: sample.label for sample in data.samples} == {"2/a.jpeg": 2, "10/b.jpeg": 10, "0999/c.jpeg": 999}


@pytest.mark.parametrize(("name", "n"), [("imagenet_a", 3), ("imagenet_r", 4)])
def test_a_and_r_are_decided_among_their_200_classes_whichever_have_images(
    copies: dict[str, Path], name: str, n: int
) -> None:
    data = _partial(name, copies[name])
    assert data.classes == tuple((files("timm.data") / "_info" / f"{name}_synsets.txt").read_text().split())
    assert {data.classes[sample.label] for sample in data.samples} == {wnid(c) for c in CLASSES[:n]}
    kept = [index for (index,) in resolve_label_map(data.classes, None, 1000).members]
    assert [wnid(index) for index in kept] == list(data.classes)
    assert data.partial[0].startswith(f"{n} of 200 classes, without n")


def test_sets_beside_a(copies: dict[str, Path]) -> None:
    listed = list_benchmarks({name: copies[name] for name in ("imagenet_val", "imagenet_a")}, allow_partial=True)
    assert list(listed) == ["imagenet_val", "imagenet_a", "imagenet_a_1000_way", "imagenet_a_clean"]
    own, all_ways, clean = (listed[name].data for name in list(listed)[1:])
    assert [sample.path for sample in all_ways.samples] == [sample.path for sample in own.samples]
    assert [all_ways.classes[s.label] for s in all_ways.samples] == [own.classes[s.label] for s in own.samples]
    assert len(all_ways.classes) == 1000
    assert clean.classes == own.classes
    assert [sample.id for sample in clean.samples] == val_paths()[:9]
    assert clean.name == "imagenet_a_clean[partial]"


def test_a_without_a_class_of_the_validation_images_has_no_set_of_them(copies: dict[str, Path], tmp_path: Path) -> None:
    val = write_images(tmp_path / "val", val_paths()[-1:], 0)
    places = {"imagenet_val": val, "imagenet_a": copies["imagenet_a"]}
    assert list(list_benchmarks(places, allow_partial=True)) == ["imagenet_val", "imagenet_a", "imagenet_a_1000_way"]


def test_stylized_is_decided_among_the_16_categories(copies: dict[str, Path]) -> None:
    data = _partial("stylized", copies["stylized"])
    assert data.classes == tuple(CATEGORIES16)
    assert resolve_label_map(data.classes, None, 1000).members == tuple(CATEGORIES16.values())


def test_corruptions_and_severities_are_groups(copies: dict[str, Path]) -> None:
    data = _partial("imagenet_c", copies["imagenet_c"])
    assert len(data.cells) == 95
    assert len(data.samples) == 95 * len(CLASSES)
    assert all(
        sample.id.startswith(f"{group}/") for sample, group in zip(data.samples, data.groups, strict=True) if group
    )
    assert set(data.groups) == set(data.cells)


def test_real_labels_are_found_by_file_number(copies: dict[str, Path]) -> None:
    data = _partial("imagenet_val", copies["imagenet_val"], real=copies["real"])
    labels = read_real_labels(copies["real"])
    for sample, accepted in zip(data.samples, data.accepted, strict=True):
        assert accepted == labels[int(Path(sample.id).stem.rsplit("_", 1)[1]) - 1]
    assert any(accepted == () for accepted in data.accepted)
    assert data.describe() != _partial("imagenet_val", copies["imagenet_val"]).describe()


def test_variants_of_v2(copies: dict[str, Path], tmp_path: Path) -> None:
    root = copies["imagenet_v2"]
    matched = {"imagenet_v2_matched_frequency": root}
    assert v2_variants(root) == v2_variants(root.parent) == v2_variants({"matched-frequency": root}) == matched
    with pytest.raises(vb.DataError, match="name the variant of another with imagenet_v2="):
        v2_variants(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    for place in (tmp_path / "loop", "nu\0ll"):
        with pytest.raises(vb.DataError, match="imagenet_v2"):
            v2_variants(place)
    with pytest.raises(vb.DataError, match=r"some of matched-frequency, threshold0\.7, top-images, got other"):
        v2_variants({"other": root})
    for given, got in (({}, "got none"), ({3: root}, "got 3"), ({"matched-frequency": 3}, "paths by variant, got 3")):
        with pytest.raises(vb.DataError, match=f"imagenet_v2: wanted .*{got}"):
            v2_variants(given)  # type: ignore[arg-type]


def test_whole_sets_carry_no_stamp(tmp_path: Path) -> None:
    stylized = [f"{category}/{i}.png" for category in CATEGORIES16 for i in range(50)]
    a = [f"{folder}/{i}.jpg" for folder in BENCHMARKS["imagenet_a"].classes for i in range(37)]
    a += [f"{BENCHMARKS['imagenet_a'].classes[0]}/more_{i}.jpg" for i in range(100)]
    for name, paths in (("stylized", stylized), ("imagenet_a", a)):
        data = vb.Benchmark(name, link_images(tmp_path / name, paths))
        assert (data.name, data.partial, len(data.samples)) == (name, (), BENCHMARKS[name].images)
    (tmp_path / "stylized" / stylized[0]).unlink()
    with pytest.raises(vb.DataError, match=r"not the whole of 16-class Stylized.*\n  799 of 800 images"):
        vb.Benchmark("stylized", tmp_path / "stylized")


def test_refusal_names_what_is_missing(copies: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match=r"5 of 1,000 classes, without n01440764, .*\n  15 of 50,000 images"):
        vb.Benchmark("imagenet_val", copies["imagenet_val"])
    root = tmp_path / "c"
    shutil.copytree(copies["imagenet_c"], root)
    for gone in ("fog", "snow/2", "snow/4", "spatter"):
        shutil.rmtree(root / gone)
    with pytest.raises(
        vb.DataError, match=r"not the whole of ImageNet-C .*\n  snow: severity 2, 4 is missing\n  fog is missing\n"
    ):
        vb.Benchmark("imagenet_c", root)
    data = _partial("imagenet_c", root)
    assert data.name == "imagenet_c[partial]"
    assert data.partial[:3] == ("snow: severity 2, 4 is missing", "fog is missing", "spatter is missing")
    assert "brightness/1: 5 of 50,000 images" in data.partial


def test_the_15_corruptions_are_whole_without_the_other_four(copies: dict[str, Path], tmp_path: Path) -> None:
    for corruption in C15:
        shutil.copytree(copies["imagenet_c"] / corruption, tmp_path / "c" / corruption)
    assert not [line for line in _partial("imagenet_c", tmp_path / "c").partial if "missing" in line]


@pytest.mark.parametrize(
    ("name", "path", "layout"),
    [
        ("imagenet_val", "ILSVRC2012_val_00000001.JPEG", "<WordNet id>/<image>"),
        ("sketch", "n00000000/sketch_0.JPEG", "<WordNet id>/<image>"),
        ("imagenet_r", "n01440764/art_0.jpg", "<WordNet id>/<image>"),  # ImageNet's, but none of the 200
        ("imagenet_v2_top_images", "1000/a.jpeg", "<0 ... 999>/<image>"),
        ("stylized", "unicorn/1.png", "<category>/<image>"),
        ("imagenet_c", "noise/gaussian_noise/1/n01440764/a.JPEG", "<corruption>/<severity>/<WordNet id>/<image>"),
        ("imagenet_c", "gaussian_noise/a.JPEG", "<corruption>/<severity>/<WordNet id>/<image>"),
        ("imagenet_c", "gaussian_noise/1/a.JPEG", "<corruption>/<severity>/<WordNet id>/<image>"),
        ("imagenet_c_bar", "sparkles/6/n01440764/a.JPEG", "<corruption>/<severity>/<WordNet id>/<image>"),
    ],
)
def test_what_does_not_belong_there_is_named(tmp_path: Path, name: str, path: str, layout: str) -> None:
    root = write_images(tmp_path, [path], 0)
    with pytest.raises(vb.DataError, match=f"{path} does not belong there; .* {layout}"):
        vb.Benchmark(name, root, allow_partial=True)


def test_bad_arguments(copies: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match=r"benchmark must be one of imagenet_val, .*; got 'imagenet-d'"):
        vb.Benchmark("imagenet-d", tmp_path)
    with pytest.raises(vb.DataError, match="root must be a path, got 3"):
        vb.Benchmark("sketch", 3)  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match=r"benchmark must be one of .*; got \['zz'\]"):
        vb.Benchmark(["zz"], tmp_path)  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match="allow_partial must be True or False, got 'no'"):
        vb.Benchmark("sketch", copies["sketch"], allow_partial="no")  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match="name must be a text, got 3"):
        vb.Benchmark("sketch", copies["sketch"], allow_partial=True, name=3)  # type: ignore[arg-type]
    with pytest.raises(vb.DataError, match="real= goes with 'imagenet_val' only"):
        vb.Benchmark("sketch", copies["sketch"], real=copies["real"])
    with pytest.raises(vb.DataError, match="no images found"):
        vb.Benchmark("sketch", tmp_path, allow_partial=True)


@pytest.mark.parametrize("content", ["", "{}", "[[1]]", json.dumps([[1000]] * 50_000), json.dumps([[True]] * 50_000)])
def test_what_is_no_real_json_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "real.json").write_text(content)
    with pytest.raises(vb.DataError, match=r"wanted ReaL's real\.json"):
        read_real_labels(tmp_path / "real.json")


def test_real_needs_the_official_file_names(copies: dict[str, Path], tmp_path: Path) -> None:
    root = write_images(tmp_path / "val", [f"{wnid(0)}/1.JPEG"], 0)
    with pytest.raises(vb.DataError, match=r"wanted names such as ILSVRC2012_val_00000001.JPEG.*got n01440764/1.JPEG"):
        _partial("imagenet_val", root, real=copies["real"])
