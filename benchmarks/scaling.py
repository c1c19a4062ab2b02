# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a run grows: with the number of checkpoints, and with the number of images."""

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import visionbias as vb
from benchmarks.checkpoints import save_checkpoints
from benchmarks.engine import CONDITIONS, PROBES, write_images
from benchmarks.folder import temporary_folder
from benchmarks.memory import memory_curve
from benchmarks.registry import Case, benchmark

ARCHITECTURE = "resnet10t"
MODELS = (1, 2, 4, 8)
TIMES = (1, 2, 4)  # as many images
MANY = 64  # times as many, under one condition, to see whether memory grows
PARTS = 4  # of the time of that run
MOST_GROWTH = 0.25  # of memory in the second half, as a share of the crops that it reads

_ALONE = """
import sys
from pathlib import Path
from benchmarks.scaling import run
run(Path(sys.argv[1]), 1, int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), clean=True)
"""


@benchmark("scaling")
def cases(device: str, n: int = 32, size: int = 224) -> Iterator[Case]:
    """A case a number of checkpoints, then a case a number of images: the rate tells what each costs."""
    folder = temporary_folder("scaling")
    save_checkpoints(folder, ARCHITECTURE, max(MODELS))
    for times in (*TIMES, MANY):
        write_images(folder / f"images-{times * n}", times * n)
    works = [(models, n, False) for models in MODELS] + [(1, times * n, False) for times in TIMES[1:]]
    for models, images, clean in (*works, (1, MANY * n, True)):
        conditions = 1 if clean else CONDITIONS
        notes: dict[str, float] = {}
        whole = partial(run, folder, models, images, device, size, clean)
        memory = partial(_check_memory, folder, images, device, size, notes) if clean else None
        yield Case(
            op="scaling",
            shape=f"{models} x {ARCHITECTURE}, {conditions} conditions x [{images}, 3, {size}, {size}]",
            dtype="records",
            unit="forwards",
            work=models * conditions * images,
            bytes_moved=images * 3 * size * size,
            contenders={"visionbias": whole},
            check=partial(_check, whole, models * conditions * images, memory),
            notes=notes,
        )


def run(folder: Path, models: int, images: int, device: str, size: int, clean: bool) -> vb.Run:
    """A whole run, loading included; the crops are in the cache from the second on."""
    study = vb.Study(
        [vb.Checkpoint(folder / f"{ARCHITECTURE}-{seed}.safetensors", arch=ARCHITECTURE) for seed in range(models)],
        folder / f"images-{images}",
        PROBES[:1] if clean else PROBES,
        preprocessing=vb.Preprocessing(resize=size * 8 // 7, crop=size),
        device=device,
        forward_batch=32,
        cache=folder / "cache",
    )
    return study.run(folder / uuid.uuid4().hex, progress=False)


def _check(whole: Callable[[], vb.Run], records: int, memory: Callable[[], None] | None, _: str) -> float:
    """The run has all records."""
    assert len(whole().records().to_table()) == records
    if memory is not None:
        memory()
    return 0.0


def _check_memory(folder: Path, images: int, device: str, size: int, notes: dict[str, float]) -> None:
    """The second half of a run takes no more memory than the first, but for a part of what its crops would."""
    curve = memory_curve(_ALONE, str(folder), str(images), device, str(size), parts=PARTS)
    notes |= {f"peak_mib_{part}_of_{PARTS}": peak / 2**20 for part, peak in enumerate(curve, 1)}
    grown, crops = max(curve) - max(curve[: PARTS // 2]), images // 2 * 3 * size * size
    assert grown < MOST_GROWTH * crops, f"the second half takes {grown:,} bytes more, its crops {crops:,}"
