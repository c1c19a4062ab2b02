# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Training of the small networks, with settings reduced to seconds."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from visionbias.demo import train as training
from visionbias.demo.recipes import RECIPES, Recipe
from visionbias.demo.train import LayerTensors, Settings, train, train_all
from visionbias.errors import DataError
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.resolve import resolve_model

SMALL = Settings(size=32, per_class=4, batch=16, test_per_class=4)
QUICK = replace(RECIPES["baseline"], steps=3)


@pytest.fixture(scope="module")
def data() -> LayerTensors:
    return LayerTensors.draw(replace(SMALL, per_class=6), "train")


def test_a_recipe_learns_in_seconds(tmp_path: Path) -> None:
    settings = Settings(size=40, per_class=24, batch=32, test_per_class=10)
    (trained,) = train_all([replace(RECIPES["baseline"], steps=80)], tmp_path, settings)
    assert trained.accuracy > 0.2  # chance is 0.06


def test_the_engine_can_load_what_was_trained(tmp_path: Path) -> None:
    (trained,) = train_all([QUICK], tmp_path, SMALL)
    model = resolve_model(Checkpoint(trained.path, arch=SMALL.arch), device="cpu")
    assert (model.id, model.num_classes) == ("baseline", 16)
    test = LayerTensors.draw(SMALL, "test")
    everyone = torch.arange(len(test.label))
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (model.normalization.mean, model.normalization.std))
    predicted = model.call((test.mix(everyone, everyone) - mean) / std).argmax(1)
    assert (predicted == test.label).double().mean().item() == pytest.approx(trained.accuracy, abs=0.017)


def test_networks_are_found_again_and_keyed_by_how_they_were_made(tmp_path: Path) -> None:
    path = train(QUICK, tmp_path, SMALL)
    stamp = path.stat().st_mtime_ns
    assert train(QUICK, tmp_path, SMALL) == path
    assert path.stat().st_mtime_ns == stamp
    assert train(replace(QUICK, steps=2), tmp_path, SMALL) != path
    assert train(QUICK, tmp_path, replace(SMALL, seed=1)) != path
    assert train(replace(QUICK, effect="told otherwise"), tmp_path, SMALL) == path


def test_weights_depend_on_the_seed_and_not_on_company(tmp_path: Path) -> None:
    company = [replace(QUICK, name=name) for name in "abc"]
    together = [trained.path.read_bytes() for trained in train_all([QUICK, *company], tmp_path / "4", SMALL, workers=4)]
    alone = train(QUICK, tmp_path / "1", SMALL)
    assert alone.read_bytes() == together[0]
    other = safetensors.torch.load_file(train(QUICK, tmp_path / "1", replace(SMALL, seed=1)))
    assert not torch.equal(other["fc.weight"], safetensors.torch.load_file(alone)["fc.weight"])


def test_threads_and_global_randomness_are_given_back(tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    train(QUICK, tmp_path, SMALL)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_gives_images_in_range(recipe: Recipe, data: LayerTensors) -> None:
    generator = torch.Generator().manual_seed(0)
    picked = torch.arange(len(data.label))
    images = data.sample(picked, recipe, generator)
    if recipe.augment is not None:
        images = recipe.augment(images, generator)
    if recipe.attack:
        before = images
        network = training._new_network(SMALL)
        images = training._attacked(network, before, data.label, recipe.attack, generator)
        assert 0.5 * recipe.attack < (images - before).abs().max() <= recipe.attack + 1e-6
    assert images.shape == (96, 3, 32, 32)
    assert images.min() >= -1e-4
    assert images.max() <= 1 + 1e-4


def test_cues_come_from_where_the_recipe_says(data: LayerTensors) -> None:
    """With the fills replaced by their class number, the color inside a silhouette tells whose texture it is."""
    told = replace(data, fill=(data.label.view(-1, 1, 1, 1) * 10).to(torch.uint8).expand_as(data.fill))
    told = replace(told, ground=torch.full_like(data.ground, 255))
    picked = torch.arange(len(data.label))

    def textures(name: str) -> torch.Tensor:
        images = told.sample(picked, RECIPES[name], torch.Generator().manual_seed(0))
        return (images.amin((1, 2, 3)) * 25.5).round().long()

    assert torch.equal(textures("baseline"), data.label)
    assert torch.equal(textures("textured"), data.label)
    assert (textures("stylized") == data.label).float().mean() < 0.3


def test_killed_training_leaves_whole_networks_or_none(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from dataclasses import replace; from visionbias.demo.train import *\n"
        "recipes = [replace(RECIPES['baseline'], name=f'n{i}', steps=2) for i in range(200)]\n"
        f"train_all(recipes, Path({str(tmp_path)!r}), Settings(size=32, per_class=4, batch=16, test_per_class=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(tmp_path.glob("*/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = list(tmp_path.glob("*/*.safetensors"))
    assert 0 < len(finished) < 200
    for path in finished:
        assert "fc.weight" in safetensors.torch.load_file(path)


def test_a_failing_network_stops_the_others_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        raise ValueError("no such images")

    recipes = [QUICK, replace(QUICK, name="broken", augment=broken, steps=2), replace(QUICK, name="late", steps=1)]
    with pytest.raises(ValueError, match="no such images"):
        train_all(recipes, tmp_path, SMALL, workers=1)
    assert [path.stem for path in tmp_path.glob("*/*.safetensors")] == ["baseline"]


def test_a_place_that_cannot_be_written_is_known_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"networks cannot be kept in .*VISIONBIAS_CACHE"):
        train_all([replace(QUICK, steps=10**6)], tmp_path / "file", SMALL)
