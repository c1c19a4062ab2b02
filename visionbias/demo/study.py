# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The study of the small networks, by the engine's ordinary path."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from visionbias.datasets.shapes16 import Shapes16
from visionbias.demo.train import Settings, train_all
from visionbias.engine.run import Run
from visionbias.engine.study import Study
from visionbias.models.checkpoint import Checkpoint
from visionbias.probes import Accuracy, Probe, SpectralBias
from visionbias.runtime.cache_folder import cache_folder
from visionbias.types import Preprocessing

# A probe added here is measured by the demo; what must come of it goes to calibration.py.
PROBES: tuple[Probe, ...] = (Accuracy(), SpectralBias())
TEST_PER_CLASS = 30


def run_demo(out: Path | None = None, *, progress: bool | None = None) -> Run:
    """Train the networks that are not in the cache yet, measure all of them, and return the run.

    Args:
        out: run folder; default: one in the cache, named by networks, images and probes.
        progress: show progress bars; `None` means on a terminal only.

    Raises:
        DataError, RunError: the cache or the run folder cannot be written.
    """
    settings = Settings()
    networks = train_all(settings=settings, progress=progress)
    data = Shapes16(settings.size, TEST_PER_CLASS, settings.data_seed, "test", progress=progress)
    if out is None:
        about = [network.path.parent.name for network in networks], data.describe(), PROBES
        out = cache_folder() / "demo" / f"run-{hashlib.sha256(repr(about).encode()).hexdigest()[:16]}"
    study = Study(
        models=[Checkpoint(network.path, arch=settings.arch, name=network.recipe.name) for network in networks],
        data=data,
        probes=PROBES,
        preprocessing=Preprocessing(resize=settings.size, crop=settings.size),
        offline=True,
    )
    with _one_thread():
        return study.run(out, progress=progress)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Operators of networks this small are shorter than it takes two threads to meet, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
