# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs one study over and over, killing it at random moments, and prints what the survivors left as JSON.

Usage: kill_nursery.py IMAGES OUT KILLS SEED. Libraries load once; each life of the run is a fork of this process, which
starts no thread of its own.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas  # noqa: F401  (loaded before the fork, so that a life starts at once)
import pyarrow.dataset  # noqa: F401
import scipy.stats  # noqa: F401
import torch

import visionbias as vb
import visionbias.engine.execute


def slow_model(weight: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A deterministic classifier that takes a few milliseconds a batch, as real ones do."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.002)
        means = x.mean(dim=(2, 3))
        return torch.stack([means[:, 0] * weight, means[:, 1], x[:, 2].std(dim=(1, 2)) - 0.5], dim=1)

    return forward


def study(images: Path) -> vb.Study:
    return vb.Study(
        models=[("a", slow_model(1.0)), ("b", slow_model(-1.0))],
        data=images,
        probes=[vb.Accuracy(), vb.SpectralBias(), vb.ShapeBias(vb.CueConflict(images, images))],
        preprocessing=vb.Preprocessing(resize=36, crop=32),
        device="cpu",
        decode="pillow",
        forward_batch=4,
    )


def live(images: Path, out: Path) -> None:
    torch.set_num_threads(1)
    run = study(images).run(out, progress=False, save_interval_s=0.0)
    run.summary().to_csv(out / "summary.csv", index=False)
    table = run.records().to_table().to_pandas().sort_values(["model", "condition", "sample_id"])
    table.to_csv(out / "records.csv", index=False)


def start(images: Path, out: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            live(images, out)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def main() -> None:
    images, out, wanted, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    began = time.monotonic()
    if os.waitpid(start(images, out / "whole"), 0)[1] != 0:
        sys.exit("the uninterrupted run failed")
    took = time.monotonic() - began

    kills, folders, progress = 0, [], []
    while kills < wanted or not folders:
        folder = out / f"life{len(folders)}"
        while True:
            child = start(images, folder)
            time.sleep(rng.uniform(0.0, took * 0.6) if kills < wanted else 0.0)
            ended, status = os.waitpid(child, os.WNOHANG if kills < wanted else 0)
            if ended:
                if status != 0:
                    sys.exit(f"a resumed run failed with status {status} after {kills} kills")
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
            progress.append(sum(1 for _ in folder.rglob("*.parquet")))
        folders.append(folder.name)
    print(json.dumps({"kills": kills, "folders": folders, "files_after_kill": progress}))


if __name__ == "__main__":
    main()
