# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which textures meet which shapes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import visionbias as vb
from visionbias.datasets.base import Dataset
from visionbias.types import Sample


def dataset(name: str, classes: str, labels: str) -> Dataset:
    """A set whose classes are letters, in any order of labels."""
    samples = [Sample(f"{name}{i:02d}.png", Path(f"{name}{i:02d}.png"), classes.index(c)) for i, c in enumerate(labels)]
    return Dataset(name, Path(), tuple(samples), tuple(classes), precropped=True)


SHAPES, TEXTURES = dataset("s", "abcx", "abcxab"), dataset("t", "abc", "cabacbbcac")
OF_TEXTURE = {sample.id: TEXTURES.classes[sample.label] for sample in TEXTURES.samples}
OF_SHAPE = {sample.id: SHAPES.classes[sample.label] for sample in SHAPES.samples}


def partners(data: vb.CueConflict) -> dict[str, list[str]]:
    """Shape id -> texture ids."""
    met: dict[str, list[str]] = {}
    for sample in data.samples:
        shape, texture = sample.id.split("+")
        met.setdefault(shape, []).append(texture)
    return met


@pytest.mark.parametrize("shape", list(OF_SHAPE))
def test_as_many_textures_as_there_are_of_other_classes(shape: str) -> None:
    others = [texture for texture, category in OF_TEXTURE.items() if category != OF_SHAPE[shape]]
    met = partners(vb.CueConflict(SHAPES, TEXTURES, per_image=6))[shape]
    assert len(set(met)) == 6
    assert set(met) <= set(others)


def test_every_texture_of_another_class_is_as_likely() -> None:
    drawn: Counter[tuple[str, str]] = Counter()
    for seed in range(600):
        drawn.update((s, t) for s, (t,) in partners(vb.CueConflict(SHAPES, TEXTURES, seed=seed)).items())
    for shape, category in OF_SHAPE.items():
        counts = [drawn[shape, texture] for texture, own in OF_TEXTURE.items() if own != category]
        assert sum(counts) == 600
        assert np.abs(np.array(counts) - 600 / len(counts)).max() < 5 * np.sqrt(600 / len(counts))


def test_a_pair_does_not_depend_on_the_other_shapes() -> None:
    few = dataset("s", "abcx", "abc")
    some = partners(vb.CueConflict(few, TEXTURES, seed=np.int64(3)))  # type: ignore[arg-type]
    every = partners(vb.CueConflict(SHAPES, TEXTURES, seed=3))
    assert some == {shape: every[shape] for shape in some}


def test_an_order_of_classes_of_ones_own_is_kept_or_refused() -> None:
    assert vb.CueConflict(dataset("s", "xcba", "abc"), TEXTURES).classes == tuple("xcba")
    few, own = dataset("s", "ca", "caca"), dataset("t", "bca", "cabacbbcac")
    for shapes, textures in ((few, TEXTURES), (dataset("s", "xcba", "abc"), own)):
        with pytest.raises(
            vb.DataError, match=r"s and t must have the same classes .* the same classes=, or a label_map"
        ):
            vb.CueConflict(shapes, textures)
    assert vb.CueConflict(few, TEXTURES, label_map={"c": 0, "b": 1, "a": 2}).classes == tuple("abc")
    assert vb.CueConflict(dataset("s", "ac", "caca"), own).classes == tuple("bca")


def test_label_maps_of_both_sets_count() -> None:
    def mapped(name: str, **members: int) -> Dataset:
        classes = "".join(sorted(members))
        return replace(dataset(name, classes, classes), label_map=vb.LabelMap.groups(dict(sorted(members.items()))))

    data = vb.CueConflict(mapped("s", a=5, b=3), mapped("t", b=3, c=4))
    assert data.label_map == vb.LabelMap(tuple("abc"), ((5,), (3,), (4,)))
    assert vb.CueConflict(dataset("s", "ab", "ab"), mapped("t", a=5, b=3)).label_map is not None
    with pytest.raises(vb.DataError, match=r"label map: classes of the data without an entry: a; "):
        vb.CueConflict(dataset("s", "ab", "ab"), mapped("t", b=3, c=4))
    with pytest.raises(vb.DataError, match="the label maps of its sets differ for 'b'"):
        vb.CueConflict(mapped("s", a=5, b=3), mapped("t", b=1, c=4))


def test_classes_and_textures_are_those_of_the_sets() -> None:
    data = vb.CueConflict(SHAPES, TEXTURES, per_image=2)
    assert data.classes == tuple("abcx")
    for sample, texture, partner in zip(data.samples, data.textures, data.partners, strict=True):
        shape_id, texture_id = sample.id.split("+")
        assert (data.classes[sample.label], partner.id) == (OF_SHAPE[shape_id], texture_id)
        assert data.classes[texture] == OF_TEXTURE[texture_id] != OF_SHAPE[shape_id]
