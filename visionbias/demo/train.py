# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the small networks of the miniature study and keep them as safetensors.

Each network is trained on one thread, as many at a time as there are cores: small kernels gain little from a second
thread, and the result does not depend on the number of cores.
"""

import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from visionbias.datasets.shapes16.drawing import VERSION as DRAWING_VERSION
from visionbias.datasets.shapes16.drawing import Split, draw_layer_set
from visionbias.datasets.shapes16.silhouettes import CATEGORIES
from visionbias.demo.recipes import RECIPES, Recipe
from visionbias.errors import DataError
from visionbias.runtime.cache_folder import cache_folder
from visionbias.runtime.durable import write_file
from visionbias.runtime.progress import progress_bar

_VERSION = 3  # of the loop below: raise it when the networks it makes change
_HAZE = 0.45  # intensity that images of low contrast are faded to
_SEEDING = threading.Lock()  # initial weights come from torch's global generator


@dataclass(frozen=True, slots=True)
class Settings:
    """What all networks of a study have in common."""

    arch: str = "test_resnet"  # timm; 0.37 M parameters, and quick to learn
    size: int = 48  # pixels; a third faster than 64
    per_class: int = 160  # training images of each category
    data_seed: int = 0
    seed: int = 0  # of initial weights, order and augmentation
    batch: int = 64
    learning_rate: float = 8e-3
    weight_decay: float = 0.05
    # Half of the images are darkened by up to exp(-exposure), the others lose contrast by up to exp(-fading), so that
    # neither dim high-pass images nor the low contrast of critical-band images are foreign.
    exposure: float = 1.2
    fading: float = 1.6
    test_per_class: int = 25  # images on which the accuracy is reported


@dataclass(frozen=True, slots=True)
class Trained:
    """One finished network."""

    recipe: Recipe
    path: Path  # safetensors
    accuracy: float  # on the settings' clean test images, in [0, 1]


@dataclass(frozen=True, slots=True)
class LayerTensors:
    """The layers of `draw_layer_set`, u8, class after class; mixed anew for every batch."""

    mask: Tensor  # [N, 1, H, W]
    fill: Tensor  # [N, 3, H, W]
    ground: Tensor  # [N, 3, H, W]
    label: Tensor  # [N]

    @classmethod
    def draw(cls, settings: Settings, split: Split) -> "LayerTensors":
        """Draw the training or the test images of `settings`."""
        per_class = settings.per_class if split == "train" else settings.test_per_class
        layers, labels = draw_layer_set(per_class, settings.size, settings.data_seed, split)
        fill, ground = (np.ascontiguousarray(part.transpose(0, 3, 1, 2)) for part in (layers.fill, layers.ground))
        return cls(*map(torch.from_numpy, (layers.mask[:, None], fill, ground, labels)))

    def mix(self, shapes: Tensor, textures: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [0, 1]: silhouettes and grounds of `shapes` [N], textures of `textures` [N]."""
        alpha = self.mask[shapes] / 255
        return torch.lerp(self.ground[shapes].float(), self.fill[textures].float(), alpha) / 255

    def sample(self, picked: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
        """Training images [N, 3, H, W] in [0, 1] of the labels of `picked` [N], before augmentation."""
        total, per_class = len(self.label), len(self.label) // len(CATEGORIES)
        anyone = torch.randint(total, picked.shape, generator=generator)
        kin = self.label[picked] * per_class + torch.randint(per_class, picked.shape, generator=generator)
        if recipe.cue == "texture":
            return self.mix(anyone, picked)
        return self.mix(picked, kin if recipe.cue == "both" else anyone)


def train(recipe: Recipe, folder: Path | None = None, settings: Settings | None = None) -> Path:
    """Train one network, or find it in `folder`; see `train_all`."""
    return train_all([recipe], folder, settings)[0].path


def train_all(
    recipes: Iterable[Recipe] = tuple(RECIPES.values()),
    folder: Path | None = None,  # default: "demo" in the cache
    settings: Settings | None = None,
    *,
    workers: int | None = None,  # networks at a time; default: torch's number of threads
    progress: bool | None = None,  # None: on a terminal only
) -> list[Trained]:
    """Train those networks that `folder` does not hold yet and return all, in the order of `recipes`.

    A network is kept as `<key>/<recipe>.safetensors`, where the key covers recipe, settings and the versions of drawing
    and training. It is written whole or not at all, so a killed call loses at most the networks in the making.

    Raises:
        DataError: the folder cannot be written.
    """
    settings, recipes = settings or Settings(), list(recipes)
    folder = folder or cache_folder() / "demo"
    paths = [folder / _key(recipe, settings) / f"{recipe.name}.safetensors" for recipe in recipes]
    missing = [(recipe, path) for recipe, path in zip(recipes, paths, strict=True) if not path.is_file()]
    if missing:
        probe = folder / ".writable"  # before minutes of training for nothing
        _save(probe, b"")
        probe.unlink(missing_ok=True)
        data, test = LayerTensors.draw(settings, "train"), LayerTensors.draw(settings, "test")
        threads, stop = torch.get_num_threads(), threading.Event()
        steps = sum(recipe.steps for recipe, _ in missing)
        pool = ThreadPoolExecutor(workers or threads, initializer=torch.set_num_threads, initargs=(1,))
        with progress_bar(steps, progress, f"training {len(missing)} networks", "step") as bar:

            def tick() -> None:
                if stop.is_set():
                    raise KeyboardInterrupt
                bar.update()

            def make(task: tuple[Recipe, Path]) -> None:
                network = _fit(task[0], settings, data, tick)
                accuracy = _accuracy(network, test)
                # One entry: the format orders several at random, and equal networks should be equal files.
                note = {"visionbias": json.dumps({"accuracy": accuracy, "arch": settings.arch, "recipe": task[0].name})}
                state = {name: value.contiguous() for name, value in network.state_dict().items()}
                _save(task[1], safetensors.torch.save(state, note))

            try:
                longest_first = sorted(missing, key=lambda task: -task[0].cost)
                list(pool.map(make, longest_first))
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
                torch.set_num_threads(threads)
    return [Trained(recipe, path, _noted_accuracy(path)) for recipe, path in zip(recipes, paths, strict=True)]


def _key(recipe: Recipe, settings: Settings) -> str:
    how = asdict(recipe) | {"augment": recipe.augment and inspect.getsource(recipe.augment)}
    del how["effect"]
    content = json.dumps([_VERSION, DRAWING_VERSION, how, asdict(settings)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _fit(recipe: Recipe, settings: Settings, data: LayerTensors, tick: Callable[[], None]) -> nn.Module:
    """The trained network, in eval mode. Every random number comes from the settings' seed."""
    generator = torch.Generator().manual_seed(settings.seed)
    network = _new_network(settings)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, recipe.steps, pct_start=0.25)
    queue = torch.empty(0, dtype=torch.long)
    for _ in range(recipe.steps):
        while len(queue) < settings.batch:
            queue = torch.cat([queue, torch.randperm(len(data.label), generator=generator)])
        picked, queue = queue[: settings.batch], queue[settings.batch :]
        images, labels = data.sample(picked, recipe, generator), data.label[picked]
        if recipe.augment is not None:
            images = recipe.augment(images, generator)
        coin, weather = torch.rand((2, len(images), 1, 1, 1), generator=generator)
        images = torch.where(coin < 0.5, images.flip(-1), images)
        images = images * torch.exp(-settings.exposure * (1 - 2 * weather).clamp(min=0))
        images = torch.lerp(torch.tensor(_HAZE), images, torch.exp(-settings.fading * (2 * weather - 1).clamp(min=0)))
        if recipe.attack:
            half = len(images) // 2
            attacked = _attacked(network, images[:half], labels[:half], recipe.attack, generator)
            images = torch.cat([attacked, images[half:]])
        loss = cross_entropy(_forward(network, images), labels, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        tick()
    return network.eval()


def _new_network(settings: Settings) -> nn.Module:
    import timm

    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network: nn.Module = timm.create_model(settings.arch, num_classes=len(CATEGORIES))
    return network.to(memory_format=torch.channels_last).train()


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    """Logits of images in [0, 1], normalized as the architecture's own weights want it: so does whoever loads them."""
    config = network.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))  # type: ignore[index]
    logits: Tensor = network(((images - mean) / std).contiguous(memory_format=torch.channels_last))
    return logits


def _attacked(network: nn.Module, images: Tensor, labels: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """One gradient-sign step of 1.25 radii from a random start (Wong, Rice & Kolter, ICLR 2020)."""
    shift = (radius * (2 * torch.rand(images.shape, generator=generator) - 1)).requires_grad_()
    (slope,) = torch.autograd.grad(cross_entropy(_forward(network, images + shift), labels), shift)
    shift = (shift.detach() + 1.25 * radius * slope.sign()).clamp(-radius, radius)
    return (images + shift).clamp(0, 1)


def _accuracy(network: nn.Module, test: LayerTensors) -> float:
    hits = 0
    with torch.inference_mode():
        for picked in torch.split(torch.arange(len(test.label)), 100):
            hits += int((_forward(network, test.mix(picked, picked)).argmax(1) == test.label[picked]).sum())
    return hits / len(test.label)


def _save(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
    except OSError as error:
        raise DataError(
            f"networks cannot be kept in {path.parent}: {error.strerror or error}; make room there, or choose another "
            "place with $VISIONBIAS_CACHE"
        ) from error


def _noted_accuracy(path: Path) -> float:
    with safetensors.safe_open(path, "pt") as file:
        return float(json.loads(file.metadata()["visionbias"])["accuracy"])
