# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made ahead is what is made in order."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from run_folders import records_of
from torch import Tensor

import visionbias as vb
from visionbias.datasets.label_map import LabelMap
from visionbias.engine.ahead import one_ahead, one_behind, turns
from visionbias.engine.scoring import Scorer

Make = Callable[..., vb.Study]
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def noted(made: list[int]) -> Iterator[int]:
    """Three numbers, each of which stands in the list once it is made."""
    for i in range(3):
        made.append(i)
        yield i


def test_on_a_cpu_a_step_is_made_when_it_is_wanted() -> None:
    made: list[int] = []

    for i in one_ahead(noted(made), torch.device("cpu")):
        assert made == list(range(i + 1))
    assert made == [0, 1, 2]
    assert turns("cpu") == 1


def test_a_result_is_taken_when_the_next_was_begun() -> None:
    begun: list[int] = []

    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert [(i, list(begun)) for i in one_behind(noted(begun), gpu)] == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2])]
    begun.clear()
    assert [(i, list(begun)) for i in one_behind(noted(begun), cpu)] == [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])]
    assert list(one_behind(iter(()), gpu)) == []


def test_a_result_is_taken_though_the_next_fails() -> None:
    def results() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    taken: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        taken.extend(one_behind(results(), torch.device("cuda")))
    assert taken == [1]


@pytest.mark.gpu
@on_gpu
def test_scores_sent_from_a_gpu_arrive_before_they_are_read() -> None:
    """Though the GPU is busy when they are sent, and again after."""
    scorer = Scorer(LabelMap.identity(list("abcd")), torch.device("cuda"))
    logits = torch.randn(64, 4)
    labels = torch.zeros(64, dtype=torch.int64)
    wanted = Scorer(LabelMap.identity(list("abcd")), torch.device("cpu"))(logits, labels).send().columns()
    torch.cuda._sleep(100_000_000)
    sent = scorer(logits.cuda(), labels.cuda()).send()
    torch.cuda._sleep(100_000_000)
    columns = sent.columns()
    assert all((columns[name] == wanted[name]).all() for name in ("pred", "in_top5", "finite"))


@pytest.mark.gpu
@on_gpu
def test_a_buffer_is_written_only_when_it_was_read() -> None:
    """With a reader, and then a writer, that takes its time."""
    device = torch.device("cuda")
    for slow in ("reader", "writer"):
        buffers = [torch.zeros(2**20, device=device) for _ in range(turns("cuda"))]

        def steps(slow: str = slow, buffers: list[Tensor] = buffers) -> Iterator[Tensor]:
            for i in range(8):
                if slow == "writer":
                    torch.cuda._sleep(10_000_000)
                yield buffers[i % 2].fill_(i)

        seen = []
        for step in one_ahead(steps(), device):
            if slow == "reader":
                torch.cuda._sleep(10_000_000)
            seen.append(torch.stack([step.min(), step.max()]))
        assert torch.stack(seen).tolist() == [[i, i] for i in range(8)]


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_records_on_a_gpu_are_the_same_bits_in_order_and_ahead(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cuda": 1.0})
    probes = [vb.Accuracy(), vb.SpectralBias(), vb.CriticalBand(), vb.FeatureSuppression()]
    study = make_study(device="cuda", probes=probes, precision=precision)
    ahead = study.run(tmp_path / "ahead", progress=False)
    monkeypatch.setattr("visionbias.engine.loop.one_ahead", lambda steps, device: steps)
    in_order = study.run(tmp_path / "order", progress=False)
    pd.testing.assert_frame_equal(records_of(ahead), records_of(in_order), check_exact=True)
    budget = make_study(device="cuda", probes=probes, precision=precision, model_memory_bytes=1)
    pd.testing.assert_frame_equal(
        records_of(budget.run(tmp_path / "budget", progress=False)), records_of(ahead), check_exact=True
    )
