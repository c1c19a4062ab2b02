# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image folders, manifests and cue-conflict folders: what they list, and what they refuse."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import visionbias as vb
from visionbias.datasets.listing import sorted_names
from visionbias.datasets.sixteen import CATEGORIES16


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def ids(data: vb.ImageFolder | vb.CsvManifest) -> list[str]:
    return [sample.id for sample in data.samples]


def test_classes_and_ids_are_sorted_paths(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.JPG", "b/10.png", "a/deep/er/1.webp", "a/notes.txt", "a/.hidden.png", ".cache/x.png")
    data = vb.ImageFolder(tmp_path)
    assert data.classes == ("a", "b")
    assert ids(data) == ["a/deep/er/1.webp", "b/10.png", "b/2.JPG"]
    assert [sample.label for sample in data.samples] == [0, 1, 1]
    assert data.samples[0].path == tmp_path / "a" / "deep" / "er" / "1.webp"
    assert data.bad == ()


def test_folders_named_by_number_are_in_order_of_number(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}/x.png" for i in (10, 2, 0)))
    assert vb.ImageFolder(tmp_path).classes == ("0", "2", "10")


def test_order_of_equal_or_endless_numbers_does_not_depend_on_the_process() -> None:
    """The names 1 and 01 are equal as numbers; Python orders a set of texts differently in each process."""
    script = (
        "from visionbias.datasets.listing import sorted_names\n"
        "print(sorted_names(f'{i:0{w}}' for i in (2, 1) for w in (1, 2, 3, 4)))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert answers == {"['0001', '001', '01', '1', '0002', '002', '02', '2']\n"}
    assert sorted_names(["9" * 5000, "10"]) == ["10", "9" * 5000]


def test_absolute_paths_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"path,label\n{tmp_path}/x/1.png,a\n")
    assert ids(vb.CsvManifest(tmp_path / "m.csv")) == ["x/1.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "wanted a folder for each class, found none"),
        (("1.png", "a/2.png"), "found the image 1.png beside them"),
        (("a/1.png", "b/readme.txt"), "1 of 2 class folders hold no image: b"),
        (("a/readme.txt",), "1 of 1 class folders hold no image: a"),
    ],
)
def test_folders_that_are_no_image_set(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(vb.DataError, match=message):
        vb.ImageFolder(tmp_path)


def test_paths_that_are_no_folder(tmp_path: Path) -> None:
    touch(tmp_path, "file.png")
    with pytest.raises(vb.DataError, match="is not there"):
        vb.ImageFolder(tmp_path / "absent")
    with pytest.raises(vb.DataError, match="is a file"):
        vb.ImageFolder(tmp_path / "file.png")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "real/elsewhere/1.png", "set/a/2.png")
    (tmp_path / "set" / "a" / "linked").symlink_to(tmp_path / "real" / "elsewhere")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "a" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "set" / "a" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "set" / "a" / "ring.png").symlink_to(tmp_path / "set" / "a" / "ring.png")
    data = vb.ImageFolder(tmp_path / "set")
    assert ids(data) == ["a/2.png", "a/linked/1.png"]
    assert [(sample.id, "link leads nowhere" in sample.reason) for sample in data.bad] == [
        ("a/dangling.png", True),
        ("a/gone", True),
        ("a/ring.png", True),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only here may a name be any bytes")
def test_names_that_are_no_utf8_are_listed_as_bad(tmp_path: Path) -> None:
    touch(tmp_path, "a/fine.png")
    (tmp_path / "a" / os.fsdecode(b"caf\xe9.png")).touch()
    data = vb.ImageFolder(tmp_path)
    assert ids(data) == ["a/fine.png"]
    assert [sample.id for sample in data.bad] == [r"a/caf\udce9.png"]
    assert "UTF-8" in data.bad[0].reason


def test_csv_labels_as_numbers_or_text(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("label,path,group\n10,x/1.png,g\n2,x/2.png,\n\n10,3.png,g\n")
    data = vb.CsvManifest(tmp_path / "n.csv")
    assert data.classes == ("2", "10")
    assert [(sample.id, sample.label) for sample in data.samples] == [("3.png", 1), ("x/1.png", 1), ("x/2.png", 0)]
    assert data.samples[0].path == tmp_path / "3.png"
    assert data.groups == ("g", "g", None)
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfpath,label\n"a, b.png",dog\nc.png,cat\n')
    data = vb.CsvManifest(tmp_path / "t.csv", root=tmp_path / "images")
    assert data.classes == ("cat", "dog")
    assert data.samples[0].path == tmp_path / "images" / "a, b.png"
    assert data.groups == ()
    (tmp_path / "other.csv").write_text("label,path,group\n10,x/1.png,g\n2,x/2.png,h\n10,3.png,g\n")
    hashes = {
        vb.CsvManifest(tmp_path / f"{name}.csv", name="set").describe()["labels_sha256"] for name in ("n", "other")
    }
    assert len(hashes) == 2


def test_classes_without_images(tmp_path: Path) -> None:
    touch(tmp_path, "dog/1.png")
    (tmp_path / "set.csv").write_text("path,label\ndog/1.png,dog\n")
    for make in (vb.ImageFolder, vb.CsvManifest):
        place = tmp_path / "set.csv" if make is vb.CsvManifest else tmp_path
        named = make(place, classes=["fox", "dog", "cat"])
        assert named.classes == ("fox", "dog", "cat")
        assert [sample.label for sample in named.samples] == [1]
        mapped = make(place, label_map={"dog": 2, "cat": [0, 1]})
        assert mapped.classes == ("cat", "dog")
        assert mapped.label_map == vb.LabelMap(("cat", "dog"), ((0, 1), (2,)))
        with pytest.raises(vb.DataError, match="two classes or more to decide among, got dog"):
            make(place, label_map={"dog": 2})


def test_paths_stay_where_they_were_when_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "set/dog/dog1-cat1.png", "set/cat/cat1-dog1.png")
    (tmp_path / "set.csv").write_text("path,label\nset/dog/dog1-cat1.png,dog\n")
    monkeypatch.chdir(tmp_path)
    sets = [vb.ImageFolder("set"), vb.CueConflictFolder("set"), vb.CsvManifest("set.csv")]
    checkpoint = vb.Checkpoint("weights.pt", arch="resnet18", head="head.pt")
    monkeypatch.chdir("/")
    assert all(sample.path.exists() for data in sets for sample in data.samples)
    assert (checkpoint.path, checkpoint.head) == (tmp_path / "weights.pt", tmp_path / "head.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\n1.png,2\n", "wanted the columns path,label .* add path"),
        (b"", "add label and path"),
        (b"path,label\n", "lists no images"),
        (b"path,label\n1.png\n", "line 2: wanted a path and a label, got '1.png', ''"),
        (b"path,label\n1.png,a\n1.png,b\n", "listed twice, such as 1.png"),
        (b"path,label\n\xff\xfe.png,a\n", "wanted a CSV file in UTF-8"),
        (b'path,label\n"1.png,a\n', "cannot read the manifest"),
        (b"path,label\na, b.png,dog\n", "line 2: more fields .* double quotes"),
        (b"path,label\n../1.png,a\n", "lies outside .* with root="),
        (b"path,label\n/elsewhere/1.png,a\n", "lies outside"),
        (b"path,label\nx/../1.png,a\n1.png,a\n", "listed twice, such as 1.png"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(vb.DataError, match=message):
        vb.CsvManifest(tmp_path / "m.csv")


@pytest.mark.parametrize("make", [vb.ImageFolder, vb.CueConflictFolder, vb.CsvManifest])
def test_what_is_no_path(make: Callable[[object], object]) -> None:
    with pytest.raises(vb.DataError, match=r"(root|path) must be a path, got None"):
        make(None)


def test_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(vb.DataError, match="cannot read the manifest"):
        vb.CsvManifest(tmp_path / "absent.csv")


def test_cue_conflict_names(tmp_path: Path) -> None:
    touch(tmp_path, "cat/cat7-elephant1.png", "cat/0001_x_cat1-cat12.png", "dog/dog1-cat2.png")
    data = vb.CueConflictFolder(tmp_path)
    assert data.classes == ("cat", "dog", "elephant")
    assert [sample.label for sample in data.samples] == [0, 0, 1]
    assert data.textures == (0, 2, 0)
    assert data.precropped


def test_file_names_that_begin_with_two_dots_are_below_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "..a.png", "b.png")
    (tmp_path / "list.csv").write_text("path,label\n..a.png,cat\nb.png,dog\n")
    assert [sample.id for sample in vb.CsvManifest(tmp_path / "list.csv").samples] == ["..a.png", "b.png"]
    for outside in ("../a.png", ".."):
        (tmp_path / "list.csv").write_text(f"path,label\n{outside},cat\nb.png,dog\n")
        with pytest.raises(vb.DataError, match="lies outside"):
            vb.CsvManifest(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [("cat/cat7elephant1.png", "wanted a name like"), ("dog/cat7-elephant1.png", "its folder 'dog'")],
)
def test_cue_conflict_names_that_do_not_parse(tmp_path: Path, name: str, message: str) -> None:
    touch(tmp_path, "cat/cat1-dog1.png", name)
    with pytest.raises(vb.DataError, match=message):
        vb.CueConflictFolder(tmp_path)


def test_the_published_cue_conflict_set_is_whole_or_marked(tmp_path: Path) -> None:
    cues = tmp_path / "cues"
    pairs = ((shape, texture, i) for shape in CATEGORIES16 for texture in CATEGORIES16 for i in range(5))
    touch(cues, *(f"{shape}/{shape}{i}-{texture}{i}.png" for shape, texture, i in pairs))
    for allow_partial in (False, True):
        whole = vb.CueConflictFolder(cues, official=True, allow_partial=allow_partial)
        assert (whole.name, whole.describe()) == ("cues", vb.CueConflictFolder(cues).describe())

    (cues / "cat/cat1-dog1.png").rename(cues / "dog/dog9-cat9.png")  # as many images
    with pytest.raises(vb.DataError, match=r"=True:\n  cat: 79 of 80 images\n  dog: 81 of 80 images$"):
        vb.CueConflictFolder(cues, official=True)
    shutil.rmtree(cues / "truck")
    touch(cues, "cow1-cat1.png", "more/cow/cow2-cat2.png")
    with pytest.raises(
        vb.DataError,
        match=r"not the whole of the published .* allow_partial=True:\n  1,202 of 1,280 images\n  .: 1 of 0 images\n"
        r"  cat: 79 .*\n  dog: 81 .*\n  more/cow: 1 of 0 images\n  truck: 0 of 80 images$",
    ):
        vb.CueConflictFolder(cues, official=True)
    part = vb.CueConflictFolder(cues, official=True, allow_partial=True, name="mine")
    assert (part.name, len(part.samples)) == ("mine[partial]", 1202)
    assert vb.CueConflictFolder(cues).name == "cues"
    assert vb.ShapeBias(part).name == "mine[partial]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"official": 1}, "official must be True or False, got 1"),
        ({"official": True, "allow_partial": "no"}, "allow_partial must be True or False, got 'no'"),
        ({"allow_partial": True}, "allow_partial=True goes with official=True only"),
    ],
)
def test_options_of_the_published_cue_conflict_set(tmp_path: Path, options: dict[str, object], message: str) -> None:
    touch(tmp_path, "cat/cat1-dog1.png")
    with pytest.raises(vb.DataError, match=message):
        vb.CueConflictFolder(tmp_path, **options)  # type: ignore[arg-type]


def test_real_cue_conflict_set(shared: Path) -> None:
    data = vb.CueConflictFolder(shared / "data" / "cue-conflict")
    assert len(data.samples) == 256
    assert len(data.classes) == 16
    pairs = {(sample.label, texture) for sample, texture in zip(data.samples, data.textures, strict=True)}
    assert len(pairs) == 256
    with pytest.raises(vb.DataError, match=r"256 of 1,280 images\n  airplane: 16 of 80 images"):
        vb.CueConflictFolder(data.root, official=True)


def test_description_follows_ids_and_labels(tmp_path: Path) -> None:
    touch(tmp_path, "one/a/1.png", "one/b/2.png", "two/a/1.png", "two/b/2.png", "three/a/1.png", "three/b/3.png")
    one, two, three = (vb.ImageFolder(tmp_path / name, name="set").describe() for name in ("one", "two", "three"))
    assert one["labels_sha256"] == two["labels_sha256"] != three["labels_sha256"]
    assert (one["samples"], one["classes"], one["kind"]) == (2, 2, "ImageFolder")
