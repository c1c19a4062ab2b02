# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The study of the small networks, by the engine's ordinary path."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from visionbias.datasets.cue_conflict import CueConflictFolder
from visionbias.datasets.folder import ImageFolder
from visionbias.datasets.shapes16 import Shapes16
from visionbias.demo.train import Settings, Trained, train_all
from visionbias.engine.run import Run, open_run
from visionbias.engine.study import Study
from visionbias.models.checkpoint import Checkpoint
from visionbias.probes import (
    PGD,
    Accuracy,
    CriticalBand,
    FeatureSuppression,
    Generalization,
    Probe,
    ShapeBias,
    SpectralBias,
)
from visionbias.runtime.cache_folder import cache_folder
from visionbias.types import Preprocessing

TEST_PER_CLASS = 30
# Group -> sets that the networks were not trained for -> how `Shapes16` draws them.
BENCHMARKS: dict[str, dict[str, dict[str, Any]]] = {
    "robustness": {kind: {"corruption": kind} for kind in ("noise", "blur", "contrast", "jpeg")},
    "concepts": {
        "new-textures": {"texture": "held-out"},
        "flat-colors": {"texture": "flat"},
        "outlines": {"texture": "sketch"},
    },
}


def run_demo(out: Path | None = None, *, settings: Settings | None = None, progress: bool | None = None) -> Run:
    """Train the networks that are not in the cache yet, measure all of them, and return the run.

    Args:
        out: run folder; default: one in the cache, named by networks, images and probes.
        settings: of the training; default: those of the command `visionbias demo`.
        progress: show progress bars; `None` means on a terminal only.

    Raises:
        DataError, RunError: the cache or the run folder cannot be written.
    """
    settings = settings or Settings()
    networks = train_all(settings=settings, progress=progress)
    own = Shapes16(settings.size, TEST_PER_CLASS, settings.data_seed, "test", progress=progress)
    other = Shapes16(settings.size, TEST_PER_CLASS, settings.data_seed, "test", texture="other", progress=progress)
    benchmarks = [
        ImageFolder(
            Shapes16(settings.size, TEST_PER_CLASS, settings.data_seed, "test", progress=progress, **how).root,
            name=name,
            precropped=True,
        )
        for sets in BENCHMARKS.values()
        for name, how in sets.items()
    ]
    probes = probes_of(CueConflictFolder(other.root, name="other-textures"), benchmarks)
    if out is None:
        about = [network.path.parent.name for network in networks], own.describe(), other.describe(), probes
        out = cache_folder() / "demo" / f"demo-{hashlib.sha256(repr(about).encode()).hexdigest()[:8]}"

    def shard(part: tuple[int, int]) -> Run:
        # Operators of networks this small are shorter than it takes two threads to meet: each thread has its own part.
        torch.set_num_threads(1)
        shown = progress if part[0] == 0 else False
        return _study(networks, settings, own, probes).run(out, shard=part, progress=shown)

    n = torch.get_num_threads()
    with ThreadPoolExecutor(n) as pool:
        list(pool.map(shard, [(i, n) for i in range(n)]))
    return open_run(out)


def probes_of(cues: CueConflictFolder, benchmarks: Sequence[ImageFolder]) -> tuple[Probe, ...]:
    """What the demo measures. What must come of a probe that is added here goes to calibration.py."""
    return (
        Accuracy(),
        SpectralBias(),
        # Images of 48 pixels have the five finest bands; none of the networks is made for grey images of low contrast.
        CriticalBand(bands=(2, 3, 4, 5, 6), criterion="relative"),
        ShapeBias(cues),
        FeatureSuppression(strengths=(1.0,)),
        PGD(eps=2 / 255, steps=4, step_size=1 / 255),
        Generalization(own=benchmarks, groups={group: list(sets) for group, sets in BENCHMARKS.items()}),
    )


def _study(networks: Sequence[Trained], settings: Settings, data: Shapes16, probes: Sequence[Probe]) -> Study:
    return Study(
        models=[Checkpoint(network.path, arch=settings.arch, name=network.recipe.name) for network in networks],
        data=data,
        probes=probes,
        preprocessing=Preprocessing(resize=settings.size, crop=settings.size),
        decode="pillow",  # the run in the cache is to go on whatever decoder is installed since
        offline=True,
    )
