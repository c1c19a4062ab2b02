# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The drawn set: same request, same pixels; cues that are distinct and can be exchanged; folders whole or absent."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from visionbias.datasets.cue_conflict import CueConflictFolder
from visionbias.datasets.shapes16 import CATEGORIES, HELD_OUT_TEXTURES, Shapes16, compose, draw_layer_set, draw_layers
from visionbias.datasets.shapes16 import folder as shapes16_folder
from visionbias.datasets.shapes16.corruptions import Corruption
from visionbias.datasets.shapes16.drawing import draw_image, draw_sketch, image_rng
from visionbias.datasets.shapes16.folder import Texture
from visionbias.datasets.shapes16.silhouettes import draw_silhouette
from visionbias.datasets.shapes16.textures import TEXTURES, draw_texture
from visionbias.datasets.sixteen import CATEGORIES16
from visionbias.errors import DataError


def test_categories_are_the_sixteen_of_the_literature() -> None:
    assert list(CATEGORIES) == sorted(CATEGORIES16)
    assert tuple(TEXTURES) == CATEGORIES


@pytest.mark.parametrize("size", [17, 48, 64])
def test_drawing_is_a_function_of_its_seed(size: int) -> None:
    for label, category in enumerate(CATEGORIES):
        first, again, other = (
            draw_image(category, category, image_rng(seed, "test", 3, label), size) for seed in (7, 7, 8)
        )
        assert first.shape == (size, size, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_splits_and_numbers_draw_different_images() -> None:
    images = [draw_image("car", "car", image_rng(0, split, n, 6), 32) for split in ("train", "test") for n in range(3)]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("texture", ["dog", "zigzag", None])
def test_shape_and_ground_do_not_depend_on_the_texture(texture: str | None) -> None:
    own = draw_layers("cat", "cat", np.random.default_rng(5), 48)
    swapped = draw_layers("cat", texture, np.random.default_rng(5), 48)
    assert np.array_equal(own.mask, swapped.mask)
    assert np.array_equal(own.ground, swapped.ground)
    assert not np.array_equal(own.fill, swapped.fill)
    outside = own.mask == 0
    assert np.array_equal(compose(own)[outside], compose(swapped)[outside])


def test_compose_takes_fill_inside_and_ground_outside() -> None:
    layers = draw_layers("oven", "oven", np.random.default_rng(1), 64)
    image = compose(layers)
    inside, outside = layers.mask == 255, layers.mask == 0
    assert 0.1 < inside.mean() < 0.6
    assert np.array_equal(image[inside], layers.fill[inside])
    assert np.array_equal(image[outside], layers.ground[outside])
    assert ((layers.mask > 0) & (layers.mask < 255)).any()  # antialiased


def test_flat_and_grey_fills_hold_one_color() -> None:
    flat = draw_layers("bird", "bird", np.random.default_rng(2), 32, flat=True).fill
    grey = draw_layers("bird", None, np.random.default_rng(2), 32).fill
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    assert np.unique(grey).tolist() == [128]


def _nearest_mean_accuracy(features: np.ndarray, per_class: int) -> float:
    """Accuracy of the nearest class mean on the second half of each class; features [16, per_class, D]."""
    half = per_class // 2
    means, held_out = features[:, :half].mean(1), features[:, half:]
    distance = ((held_out[:, :, None] - means) ** 2).sum(-1)
    return float((distance.argmin(-1) == np.arange(16)[:, None]).mean())


def test_each_category_has_a_silhouette_of_its_own() -> None:
    still = [[draw_silhouette(c, np.random.default_rng(n), 32) / 255.0 for n in range(24)] for c in CATEGORIES]
    spectra = np.abs(np.fft.rfft2(np.array(still)))[:, :, :6, :6].reshape(16, 24, -1)
    assert _nearest_mean_accuracy(spectra, 24) > 0.4  # chance 0.06; poses vary


def test_each_category_has_a_texture_of_its_own() -> None:
    grey = np.array([[draw_texture(c, np.random.default_rng(n), 64).mean(-1) for n in range(12)] for c in CATEGORIES])
    grey = (grey - grey.mean((2, 3), keepdims=True)) / grey.std((2, 3), keepdims=True)
    power = np.log(np.abs(np.fft.rfft2(grey)) ** 2 + 30)
    bins = power[:, :, :, :32].reshape(16, 12, 16, 4, 8, 4).mean((3, 5)).reshape(16, 12, -1)
    assert _nearest_mean_accuracy(bins, 12) > 0.7


def test_color_tells_the_category_in_part() -> None:
    def hues(category: str) -> np.ndarray:
        fills = [draw_texture(category, np.random.default_rng(n), 16).mean((0, 1)) for n in range(60)]
        return np.array([fill / fill.sum() for fill in fills])

    colors = np.stack([hues(category) for category in CATEGORIES])
    assert 0.15 < _nearest_mean_accuracy(colors, 60) < 0.6


def test_layer_set_is_the_png_set(tmp_path: Path) -> None:
    layers, labels = draw_layer_set(2, size=32, seed=4, split="test")
    data = Shapes16(size=32, per_class=2, seed=4, split="test", folder=tmp_path)
    assert [sample.label for sample in data.samples] == labels.tolist()
    files = np.stack([np.asarray(Image.open(sample.path)) for sample in data.samples])
    assert np.array_equal(files, compose(layers))


def test_folder_is_a_data_set_of_crops_and_is_reused(tmp_path: Path) -> None:
    data = Shapes16(size=24, per_class=2, folder=tmp_path)
    assert data.classes == CATEGORIES
    assert data.precropped
    assert len(data.samples) == 32
    stamps = {sample.path: sample.path.stat().st_mtime_ns for sample in data.samples}
    again = Shapes16(size=24, per_class=2, folder=tmp_path)
    assert {sample.path: sample.path.stat().st_mtime_ns for sample in again.samples} == stamps
    assert Shapes16(size=24, per_class=2, seed=1, folder=tmp_path).root != data.root


def test_default_folder_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path))
    assert Shapes16(size=16, per_class=1).root.parent == tmp_path / "shapes16"


@pytest.mark.parametrize("texture", get_args(Texture))
def test_every_texture_can_be_asked_for(tmp_path: Path, texture: Texture) -> None:
    data = Shapes16(size=32, per_class=1, texture=texture, folder=tmp_path)
    own = Shapes16(size=32, per_class=1, folder=tmp_path)
    assert [sample.label for sample in data.samples] == [sample.label for sample in own.samples]
    same = [
        np.array_equal(Image.open(a.path), Image.open(b.path)) for a, b in zip(data.samples, own.samples, strict=True)
    ]
    assert all(same) if texture == "own" else not any(same)


@pytest.mark.parametrize("corruption", get_args(Corruption))
def test_a_corruption_changes_every_image_a_little(tmp_path: Path, corruption: Corruption) -> None:
    data, own = (Shapes16(size=32, per_class=1, corruption=kind, folder=tmp_path) for kind in (corruption, None))
    assert data.name == f"shapes16-test-own-{corruption}"
    for a, b in zip(data.samples, own.samples, strict=True):
        changed, image = (np.asarray(Image.open(sample.path), dtype=float) for sample in (a, b))
        assert 1.0 < np.abs(changed - image).mean() < 50.0
        assert abs(changed.mean() - image.mean()) < 5.0


def test_other_textures_make_a_cue_conflict_set(tmp_path: Path) -> None:
    data = Shapes16(size=24, per_class=3, texture="other", folder=tmp_path)
    conflict = CueConflictFolder(data.root)
    shapes = [conflict.classes[sample.label] for sample in conflict.samples]
    textures = [conflict.classes[texture] for texture in conflict.textures]
    assert [data.classes[sample.label] for sample in data.samples] == shapes
    assert all(shape != texture for shape, texture in zip(shapes, textures, strict=True))
    assert len(set(textures)) > 8


def test_held_out_textures_belong_to_no_category() -> None:
    assert not set(HELD_OUT_TEXTURES) & set(CATEGORIES)


def test_sketch_is_a_line_on_white() -> None:
    sketch = draw_sketch("boat", np.random.default_rng(0), 64)
    assert (sketch == 255).mean() > 0.5
    assert sketch.min() < 60
    assert np.array_equal(sketch[..., 0], sketch[..., 2])


def test_lost_files_are_drawn_again(tmp_path: Path) -> None:
    data = Shapes16(size=16, per_class=2, folder=tmp_path)
    lost, emptied = data.samples[3].path, data.samples[9].path
    before = lost.read_bytes()
    lost.unlink()
    emptied.write_bytes(b"")
    again = Shapes16(size=16, per_class=2, folder=tmp_path)
    assert len(again.samples) == 32
    assert lost.read_bytes() == before
    assert emptied.stat().st_size > 0


def test_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shapes16_folder.os, "fsync", full)
        with pytest.raises(DataError, match="No space left"):
            Shapes16(size=16, per_class=1, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(Shapes16(size=16, per_class=1, folder=tmp_path).samples) == 16


def test_killed_drawing_leaves_no_set(tmp_path: Path) -> None:
    code = f"from visionbias.datasets.shapes16 import Shapes16; Shapes16(32, 400, folder={str(tmp_path)!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while process.poll() is None and not list(tmp_path.glob(".*.tmp/*/*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".tmp")
    os.utime(left, (0, 0))  # as if long ago
    Shapes16(32, 1, folder=tmp_path)
    assert not left.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 4}, "size must be a whole number of at least 16, got 4"),
        ({"per_class": 0}, "per_class"),
        ({"seed": -1}, "seed"),
        ({"split": "val"}, "split must be one of train, test; got 'val'"),
        ({"texture": "plaid"}, "texture must be one of own, other"),
        ({"corruption": "fog"}, "corruption must be one of noise, blur, contrast, jpeg; got 'fog'"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Shapes16(folder=tmp_path, **arguments)  # type: ignore[arg-type]
