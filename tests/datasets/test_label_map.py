# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Label maps: which one is found, and every way in which one can be wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from timm.data import ImageNetInfo

import visionbias as vb
from visionbias.datasets.label_map import resolve_label_map, settle_classes
from visionbias.datasets.sixteen import CATEGORIES16

WNIDS = list(ImageNetInfo("imagenet-1k").label_names())


def test_sixteen_categories_are_the_published_ones(shared: Path) -> None:
    published = json.loads((shared / "golden" / "category_map.json").read_text())
    assert {name: list(members) for name, members in CATEGORIES16.items()} == published["indices"]


def test_sixteen_categories_without_the_golden_file() -> None:
    assert len(CATEGORIES16) == 16
    assert list(CATEGORIES16) == sorted(CATEGORIES16)
    assert len({index for members in CATEGORIES16.values() for index in members}) == 207
    names = ImageNetInfo("imagenet-1k")
    assert all("elephant" in names.index_to_description(i).lower() for i in CATEGORIES16["elephant"])


def test_found_by_wordnet_id_whole_or_in_part() -> None:
    assert resolve_label_map(WNIDS, None, 1000).kind == "identity"
    part = resolve_label_map([WNIDS[7], WNIDS[3]], None, 1000)
    assert part.members == ((7,), (3,))
    assert part.kind == "one-to-one"


def test_found_by_category_name() -> None:
    found = resolve_label_map(["cat", "oven"], None, 1000)
    assert found.members == (CATEGORIES16["cat"], CATEGORIES16["oven"])
    assert found.kind == "many-to-one"


def test_found_by_count() -> None:
    assert resolve_label_map(["x", "y", "z"], None, 3).kind == "identity"


def test_not_found_says_what_to_pass() -> None:
    with pytest.raises(vb.DataError, match=r"model has 1000 classes and the data 2 \(x, y\).*label_map="):
        resolve_label_map(["x", "y"], None, 1000)


def test_the_unknown_among_the_known_is_named() -> None:
    with pytest.raises(vb.DataError, match=r"nor the 16 categories \(these are not: zebra\);"):
        resolve_label_map([*CATEGORIES16, "zebra"], None, 1000)
    with pytest.raises(vb.DataError, match=r"\(these are not: n99999999\)"):
        resolve_label_map([*WNIDS[:20], "n99999999"], None, 1000)


def test_order_follows_the_data() -> None:
    classes, found = settle_classes("set", {"b", "a"}, None, {"b": [4, 5], "a": 1})
    assert classes == ["a", "b"]
    assert found == vb.LabelMap(("a", "b"), ((1,), (4, 5)))


def test_classes_without_images_are_decided_among_too() -> None:
    assert settle_classes("set", {"10"}, None, {"9": 4, "10": 2}) == (
        ["9", "10"],
        vb.LabelMap.groups({"9": 4, "10": 2}),
    )
    assert settle_classes("set", {"b"}, ["c", "b", "a"], None) == (["c", "b", "a"], None)
    _, found = settle_classes("set", {"b"}, ("c", "b"), {"b": 0, "c": 1})
    assert found == vb.LabelMap(("c", "b"), ((1,), (0,)))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["a"], "set: classes must name all that have images, but lacks b"),
        (["a", "b", "a"], "set: classes must be a list of distinct names, got"),
        ("ab", "distinct names, got 'ab'"),
        ([], "distinct names"),
        ([1, 2], "distinct names"),
        (3, "distinct names, got 3"),
        ({"a", "b"}, "distinct names"),  # in an order of chance
        (np.array("a"), "distinct names"),
    ],
)
def test_classes_that_cannot_be_used(classes: list[str], message: str) -> None:
    with pytest.raises(vb.DataError, match=message):
        settle_classes("set", {"a", "b"}, classes, None)


def test_a_decision_among_one_class_is_refused() -> None:
    """Every answer would be right."""
    for make in (
        lambda: vb.LabelMap.groups({"dog": 2}),
        lambda: resolve_label_map(["dog"], None, 1000),
        lambda: resolve_label_map([WNIDS[207]], None, 1000),
        lambda: resolve_label_map(["x"], None, 1),
    ):
        with pytest.raises(vb.DataError, match=r"wanted two classes or more to decide among, got .*by classes="):
            make()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": 0, "c": 2}, "without an entry: b; entries without a class: c; the data's classes are a, b"),
        ({"a": 0, "b": []}, "1 classes have no model class: b"),
        ({"a": [0, 1], "b": 1}, "model classes 1 are given more than once"),
        ({"a": 0, "b": "one"}, "'b' must be a class index or a list of them, got 'one'"),
        ({"a": 0, "b": True}, "'b' must be a class index"),
        ({"a": 0, "b": np.array([[1, 2]])}, "'b' must be a class index"),
        (["a", "b"], "wanted class names with indices"),
    ],
)
def test_maps_that_do_not_fit_the_data(given: dict, message: str) -> None:
    with pytest.raises(vb.DataError, match=message):
        settle_classes("set", {"a", "b"}, None, given)


def test_entries_beyond_the_classes_that_were_named() -> None:
    with pytest.raises(
        vb.DataError, match=r"set: label map: .*entries without a class: c; the data's classes are a, b"
    ):
        settle_classes("set", {"a"}, ["a", "b"], {"a": 0, "b": 1, "c": 2})


def test_maps_with_a_class_twice_or_without_members() -> None:
    for classes, members in ((("a", "b", "a"), ((1,), (2,), (3,))), (("a", "b"), ((0,),))):
        with pytest.raises(vb.DataError, match="wanted distinct classes, with members for each"):
            vb.LabelMap(classes, members)


def test_values_of_numpy_are_those_of_python() -> None:
    """A run folder would take them for others."""
    plain = vb.LabelMap(("a", "b"), ((0,), (1,)))
    for given in ({"a": np.array(0), "b": np.array([1])}, vb.LabelMap(("a", "b"), ((np.int64(0),), (np.int64(1),)))):
        classes, found = settle_classes("set", {"a"}, np.array(["a", "b"]), given)
        assert repr((classes, found)) == repr((["a", "b"], plain))


def test_maps_that_do_not_fit_the_model() -> None:
    with pytest.raises(vb.DataError, match="classes 0 to 9, but the map says b -> 10"):
        resolve_label_map(["a", "b"], vb.LabelMap.groups({"a": 0, "b": 10}), 10)
    with pytest.raises(vb.DataError, match="a -> -1"):
        resolve_label_map(["a", "b"], vb.LabelMap.groups({"a": -1, "b": 0}), 10)
