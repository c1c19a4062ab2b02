# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run and a stream read the crops of the next block while they work on one."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

import visionbias as vb
from visionbias.engine.decoded import Decoded, Pixels

Make = Callable[..., vb.Study]


class Watched:
    """What is read of crops, and when, in the place of `Decoded.read`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.fails_at: int | None = None  # the how manieth block that is read ahead
        really_read = Decoded.read

        def read(decoded: Decoded, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
            if threading.current_thread().name.startswith("visionbias-crops"):
                if len(self.rows) == self.fails_at:
                    raise vb.DataError("a file is gone")
                self.rows.append([int(row) for row in rows])
                self.begun.release()
            return really_read(decoded, rows)

        monkeypatch.setattr(Decoded, "read", read)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def crop_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("visionbias-crops")]


def test_a_run_reads_the_next_block_while_models_see_one(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, watched: Watched
) -> None:
    net, seen = tiny_net(1), 0

    def model(x: Tensor) -> Tensor:
        nonlocal seen
        if watched.rows:  # the run itself, no check before it
            seen += 1
            assert watched.begun.acquire(timeout=10)  # the block that is shown
            if seen < 5:
                assert watched.begun.acquire(timeout=10), "the next block waits for the model"
                watched.begun.release()
            assert len(watched.rows) <= seen + 1
        return net(x)

    study = make_study(models=[("m", model)], probes=[vb.Accuracy()], cache=tmp_path / "cache")
    study.run(tmp_path / "run", progress=False)
    assert seen == 5
    assert watched.rows == [list(range(start, min(start + 8, 37))) for start in range(0, 37, 8)]
    assert crop_threads() == []


def test_a_block_that_cannot_be_read_fails_when_it_is_used(make_study: Make, tmp_path: Path, watched: Watched) -> None:
    watched.fails_at = 2
    study = make_study(probes=[vb.Accuracy()], cache=tmp_path / "cache")
    with pytest.raises(vb.DataError, match="a file is gone"):
        study.run(tmp_path / "run", progress=False)
    assert len(vb.open_run(tmp_path / "run").records().to_table()) == 2 * 2 * 8
    assert crop_threads() == []


def test_an_interrupted_run_leaves_no_thread(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, watched: Watched
) -> None:
    net = tiny_net(1)

    def model(x: Tensor) -> Tensor:
        if watched.rows:
            raise KeyboardInterrupt
        return net(x)

    study = make_study(models=[("m", model)], probes=[vb.Accuracy()], cache=tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        study.run(tmp_path / "run", progress=False)
    assert crop_threads() == []


def test_a_stream_reads_the_next_batch_while_one_is_used(
    image_folder: Path, tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path / "cache"))
    rule = vb.Preprocessing(resize=36, crop=32)
    options = {"device": "cpu", "batch_size": 8, "preprocessing": rule, "decode": "pillow", "progress": False}
    stream = vb.stimuli(image_folder, [vb.Accuracy()], **options)  # type: ignore[arg-type]
    for held, _ in enumerate(stream):
        assert watched.begun.acquire(timeout=10)
        if held < 4:
            assert watched.begun.acquire(timeout=10), "the next batch waits for the caller"
            watched.begun.release()
    assert [len(rows) for rows in watched.rows] == [8, 8, 8, 8, 5]
    stopped = vb.stimuli(image_folder, [vb.Accuracy()], **options)  # type: ignore[arg-type]
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert crop_threads() == []
