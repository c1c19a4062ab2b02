# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a run takes, and how long `visionbias plan` says that it will."""

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import visionbias as vb
from benchmarks.checkpoints import save_checkpoints
from benchmarks.engine import CONDITIONS, PROBES
from benchmarks.folder import temporary_folder
from benchmarks.registry import Case, benchmark
from benchmarks.whole_job import write_jpegs

MODELS = {"resnet10t": 4, "resnet50": 1}  # the first in float32, the second where it can in 16 bits
MOST_OFF = 0.25  # of what the run takes


@benchmark("plan")
def cases(device: str, n: int = 64) -> Iterator[Case]:
    """A case an architecture, from JPEG files that are decoded each time."""
    for arch, models in MODELS.items():
        folder = temporary_folder("plan")
        write_jpegs(folder / "images", n)
        study = partial(_study, folder, arch, save_checkpoints(folder, arch, models), device)
        notes: dict[str, float] = {}
        yield Case(
            op="plan",
            shape=f"{models} x {arch}, {CONDITIONS} conditions x {n} JPEG files",
            dtype="records",
            unit="forwards",
            work=models * CONDITIONS * n,
            bytes_moved=0,
            contenders={"run": partial(_run, study, folder)},
            check=partial(_check, study, folder, notes),
            notes=notes,
        )


def _study(folder: Path, arch: str, weights: list[Path], device: str) -> vb.Study:
    checkpoints = [vb.Checkpoint(path, arch=arch) for path in weights]
    return vb.Study(checkpoints, folder / "images", PROBES, device=device, cache=folder / uuid.uuid4().hex)


def _run(study: Callable[[], vb.Study], folder: Path) -> vb.Run:
    return study().run(folder / uuid.uuid4().hex, progress=False)


def _check(study: Callable[[], vb.Study], folder: Path, notes: dict[str, float], _: str) -> float:
    """How far the prediction is off, as a share of the time that the run then takes."""
    plan = study().plan()
    notes["predicted_s"], notes["predicted_record_bytes"] = plan.predicted_s, plan.record_bytes
    began = time.perf_counter()
    done = _run(study, folder)
    notes["taken_s"] = time.perf_counter() - began
    notes["record_bytes"] = sum(path.stat().st_size for path in done.folder.rglob("*.parquet"))
    off = abs(notes["predicted_s"] / notes["taken_s"] - 1)
    assert off < MOST_OFF, f"planned {notes['predicted_s']:.1f} s, took {notes['taken_s']:.1f} s"
    return off
