# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs to report on: one with every probe and names that would be code if they were not escaped, and lesser ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from benchmark_folders import small_copies
from PIL import Image
from report_models import CLASSES, EVIL, imagenet_network, network

import visionbias as vb

SIDE = 32


@dataclass(frozen=True)
class Images:
    """A labeled set with groups and one file that is no image, and a set of conflicting cues."""

    data: vb.CsvManifest
    cues: Path


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks this small gain nothing from threads, and lose much where other processes hold the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    root = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(3)

    def draw(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(path)

    rows = ["path,label,group"]
    for i in range(45):
        name = CLASSES[i % 3]
        draw(root / f"photos/{name}/{i}.png")
        group = '"<i>left</i>"' if i % 2 else "right"
        rows.append(f"photos/{name}/{i}.png,{name},{group}")
    (root / "photos/ape/broken.png").write_bytes(b"<html>")
    rows.append("photos/ape/broken.png,ape,right")
    (root / "photos.csv").write_text("\n".join(rows) + "\n")
    for i, (shape, texture) in enumerate((a, b) for a in CLASSES for b in CLASSES * 2 if a != b):
        draw(root / f"cues/{shape}/{shape}{i + 1}-{texture}{i + 1}.png")
    return Images(vb.CsvManifest(root / "photos.csv"), root / "cues")


@pytest.fixture(scope="session")
def make_study(images: Images) -> Callable[..., vb.Study]:
    """Builds the study of every probe; keyword arguments replace its own."""

    def make(**changes: Any) -> vb.Study:
        names = ["first", "second", "10", "9", "fifth", EVIL]
        options: dict[str, Any] = {
            "models": [(name, network(seed)) for seed, name in enumerate(names)],
            "data": images.data,
            "probes": [
                vb.Accuracy(),
                vb.SpectralBias(cutoffs=(0.5, 0.1, 0.9)),
                vb.CriticalBand(bands=(4, 5, 6), noise_sds=(0.05, 0.2), criterion="relative"),
                vb.ShapeBias(images.cues),
                vb.FeatureSuppression(grids=(2,), cutoffs=(0.2,), strengths=(1.0,)),
            ],
            "preprocessing": vb.Preprocessing(resize=SIDE, crop=SIDE),
            "decode": "pillow",
            "device": "cpu",
            "forward_batch": 8,
            "max_bad": 1,
        } | changes
        return vb.Study(**options)

    return make


@pytest.fixture(scope="session")
def rich(make_study: Callable[..., vb.Study], tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    """Six models under every probe."""
    return make_study().run(tmp_path_factory.mktemp("rich") / "run", progress=False)


@pytest.fixture(scope="session")
def partial_run(tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    """Six models on small copies of ImageNet-V2, ImageNet-Sketch and ImageNet-C."""
    copies = small_copies(tmp_path_factory.mktemp("copies"))
    study = vb.Study(
        models=[(f"net-{seed}", imagenet_network(seed)) for seed in range(6)],
        data=vb.Benchmark("imagenet_v2_matched_frequency", copies["imagenet_v2"], allow_partial=True),
        probes=[
            vb.Accuracy(),
            vb.SpectralBias(cutoffs=(0.1, 0.5)),
            vb.CriticalBand(bands=(4, 5, 6), noise_sds=(0.05, 0.2)),
            vb.FeatureSuppression(grids=(2,), cutoffs=(0.2,), strengths=(1.0,)),
            vb.Generalization(sketch=copies["sketch"], imagenet_c=copies["imagenet_c"], allow_partial=True),
        ],
        preprocessing=vb.Preprocessing(resize=SIDE, crop=SIDE),
        decode="pillow",
        device="cpu",
    )
    return study.run(tmp_path_factory.mktemp("partial") / "run", progress=False)


@pytest.fixture(scope="session")
def summary(rich: vb.Run) -> pd.DataFrame:
    """The numbers of that run."""
    return rich.summary()


@pytest.fixture(scope="session")
def page(rich: vb.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that run."""
    return rich.report(tmp_path_factory.mktemp("page") / "report.html")
