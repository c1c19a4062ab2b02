# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A study small enough to run many times: a folder of generated images and two seeded networks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import visionbias as vb

SIZE = 32


class TinyNet(nn.Module):
    """A seeded convolutional classifier of three classes whose answers vary with image and frequency content."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU())
            self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean(dim=(2, 3)) * 20)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks this small gain nothing from threads, and lose much where other processes hold the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """37 PNGs of various sizes in three class folders: smooth blobs plus noise, so that filters matter."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(7)
    for i in range(37):
        height, width = rng.integers(34, 60, 2)
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), dtype=float)
        pixels = np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)
        folder = root / f"class_{i % 3}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    return root


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def tiny_net() -> type[TinyNet]:
    """The network's class, for tests that build their own."""
    return TinyNet


@pytest.fixture(scope="session")
def make_study(image_folder: Path) -> Callable[..., vb.Study]:
    """Builds the study; keyword arguments replace its own."""

    def make(**changes: object) -> vb.Study:
        options: dict[str, object] = {
            "models": [("first", TinyNet(1)), ("second", TinyNet(2))],
            "data": image_folder,
            "probes": [vb.Accuracy(), vb.SpectralBias()],
            "preprocessing": vb.Preprocessing(resize=36, crop=SIZE),
            "decode": "pillow",
            "device": "cpu",
            "forward_batch": 8,
        } | changes
        return vb.Study(**options)  # type: ignore[arg-type]

    return make
