# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a run grows: with the number of checkpoints, and with the number of images."""

import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import visionbias as vb
from benchmarks.checkpoints import save_checkpoints
from benchmarks.engine import CONDITIONS, PROBES, write_images
from benchmarks.folder import temporary_folder
from benchmarks.memory import peak_gib
from benchmarks.registry import Case, benchmark

ARCHITECTURE = "resnet10t"
MODELS = (1, 2, 4, 8)
TIMES = (1, 2, 4)  # as many images
MOST_GROWTH = 1.1  # of memory, with as many images as there are

_ALONE = """
import sys
from pathlib import Path
from benchmarks.scaling import run
run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
"""


@benchmark("scaling")
def cases(device: str, n: int = 32, size: int = 224) -> Iterator[Case]:
    """A case a number of checkpoints, then a case a number of images: the rate tells what each costs."""
    folder = temporary_folder("scaling")
    save_checkpoints(folder, ARCHITECTURE, max(MODELS))
    for times in TIMES:
        write_images(folder / f"images-{times * n}", times * n)
    for models, images in (*((models, n) for models in MODELS), *((1, times * n) for times in TIMES[1:])):
        notes: dict[str, float] = {}
        yield Case(
            op="scaling",
            shape=f"{models} x {ARCHITECTURE}, {CONDITIONS} conditions x [{images}, 3, {size}, {size}]",
            dtype="records",
            unit="forwards",
            work=models * CONDITIONS * images,
            bytes_moved=images * 3 * size * size,
            contenders={"visionbias": partial(run, folder, models, images, device, size)},
            check=partial(_check, folder, models, n, images, device, size, notes),
            notes=notes,
        )


def run(folder: Path, models: int, images: int, device: str, size: int) -> vb.Run:
    """A whole run, loading included; the crops are in the cache from the second on."""
    study = vb.Study(
        [vb.Checkpoint(folder / f"{ARCHITECTURE}-{seed}.safetensors", arch=ARCHITECTURE) for seed in range(models)],
        folder / f"images-{images}",
        PROBES,
        preprocessing=vb.Preprocessing(resize=size * 8 // 7, crop=size),
        device=device,
        forward_batch=32,
        cache=folder / "cache",
    )
    return study.run(folder / uuid.uuid4().hex, progress=False)


def _check(
    folder: Path, models: int, least: int, images: int, device: str, size: int, notes: dict[str, float], _: str
) -> float:
    """The run has all records, and takes no more memory than with the fewest images."""
    done = run(folder, models, images, device, size)
    assert len(done.records().to_table()) == models * CONDITIONS * images
    for count in {least, images}:
        notes[f"peak_gib_{count}"] = peak_gib(_ALONE, str(folder), str(models), str(count), device, str(size))
    few, many = (notes[f"peak_gib_{count}"] for count in (least, images))
    assert many < MOST_GROWTH * few, f"{images} images take {many:.2f} GiB, {least} take {few:.2f}"
    return 0.0
