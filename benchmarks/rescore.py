# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What it costs to read a finished run again: summary, slices in which models fail, report."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import visionbias as vb
from benchmarks.folder import temporary_folder
from benchmarks.memory import peak_bytes
from benchmarks.registry import Case, benchmark
from visionbias.analysis import failures
from visionbias.probes.registry import stimuli_of
from visionbias.records.manifest import write_manifest
from visionbias.records.samples import write_samples
from visionbias.records.schema import SCHEMA_VERSION
from visionbias.records.writer import write_records

PROBES = (vb.Accuracy(), vb.SpectralBias(), vb.CriticalBand(), vb.FeatureSuppression())
CONDITIONS = tuple(name for stimulus in stimuli_of(PROBES) for name in stimulus.conditions)
CLASSES, SIDE, FILE = 1000, 224, 12_500  # classes, pixels, and rows of a record file
MOST_GIB = 2.0  # of memory, to read a run of any size

_ALONE = """
import sys
from pathlib import Path
from benchmarks.rescore import READERS
READERS[sys.argv[1]](Path(sys.argv[2]))
"""

READERS: dict[str, Callable[[Path], object]] = {
    "summary": lambda folder: vb.open_run(folder).summary(),
    "failures": failures,
    "report": lambda folder: vb.open_run(folder).report(folder / "report.html"),
}


@benchmark("rescore")
def cases(device: str, models: int = 48, n: int = 50_000) -> Iterator[Case]:  # noqa: ARG001
    """One case a reader, without a device, on the records of `models` x 60 conditions x `n` images from a seed."""
    folder = temporary_folder("rescore")
    accuracies = write_run(folder, models, n)
    for name, read in READERS.items():
        notes: dict[str, float] = {}
        yield Case(
            op="rescore",
            shape=f"{name}, {models} models x {len(CONDITIONS)} conditions x {n} images",
            dtype="records",
            unit="records",
            work=accuracies.size * n,
            bytes_moved=accuracies.size * n * 8,  # label and prediction
            contenders={name: partial(read, folder)},
            check=partial(_check, folder, accuracies, notes),
            notes=notes,
        )


def write_run(folder: Path, models: int, n: int) -> NDArray[np.float64]:  # [M, F]
    """Write a finished run in which every prediction is drawn, and return its accuracies."""
    rng = np.random.default_rng(0)
    label = np.arange(n) * CLASSES // n
    ids = pa.array([f"class_{k:04d}/{i:08d}.JPEG" for i, k in enumerate(label)])
    names = [f"model_{m:02d}" for m in range(models)]
    accuracies = np.empty((models, len(CONDITIONS)))
    for m, model in enumerate(names):
        for f, condition in enumerate(CONDITIONS):
            hit = rng.random(n) < rng.uniform(0.05, 0.95)
            drawn = {
                "sample_id": ids,
                "label": label,
                "pred": np.where(hit, label, (label + rng.integers(1, CLASSES, n)) % CLASSES),
                "in_top5": hit,
                "p_label": rng.random(n, dtype=np.float32),
                "margin": rng.standard_normal(n, dtype=np.float32),
            }
            for start in range(0, n, FILE):
                rows = {name: column[start : start + FILE] for name, column in drawn.items()}
                write_records(folder / "records", model, condition, start, rows)
            accuracies[m, f] = hit.mean()
    classes = [f"class_{k:04d}" for k in range(CLASSES)]
    of_samples = {"sample_id": ids, "category": [classes[k] for k in label]}
    write_samples(folder, "drawn", of_samples | dict.fromkeys(("texture", "group", "category16"), [None] * n))
    study = {
        "models": {name: {"precision": "float32", "compiled": False} for name in names},
        "forward_batch": FILE,
        "probes": [probe.config() for probe in PROBES],
        "data": {"drawn": {"models": {name: {"preprocessing": {"crop": SIDE}} for name in names}}},
    }
    described = {"n": n, "classes": classes, "conditions": list(CONDITIONS), "bad_samples": []}
    write_manifest(
        folder,
        {"schema_version": SCHEMA_VERSION, "study": study, "data_sets": {"drawn": described}, "sessions": []},
    )
    return accuracies


def _check(folder: Path, accuracies: NDArray[np.float64], notes: dict[str, float], name: str) -> float:
    """The accuracies that the reader gives are those of the records, and its memory is bounded."""
    gib = peak_bytes(_ALONE, name, str(folder)) / 2**30
    assert gib < MOST_GIB, f"{name} took {gib:.2f} GiB of memory, wanted less than {MOST_GIB}"
    notes["peak_gib"] = gib
    error = 0.0
    if name == "summary":
        summary = vb.open_run(folder).summary()
        found = summary[["top1", "low_contrast_accuracy"]].to_numpy()
        wanted = accuracies[:, [CONDITIONS.index("clean"), CONDITIONS.index("low-contrast")]]
        error = float(np.abs(found - wanted).max())
    elif name == "failures":
        worst = failures(folder, top=len(CONDITIONS))
        shown = worst[worst["kind"] == "condition"].pivot(index="model", columns="condition", values="accuracy")
        error = float(np.abs(shown[list(CONDITIONS[1:])].to_numpy() - accuracies[:, 1:]).max())
    else:
        page = (folder / "report.html").read_text(encoding="utf-8")
        clean = accuracies[:, CONDITIONS.index("clean")]
        lost = [value for value in clean if f'data-value="{value}"' not in page]
        assert not lost, f"the report lacks the accuracies {lost}"
    assert error < 1e-12, f"accuracies are off by {error}"
    return error
