# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""When a faster forward pass may take the place of the exact one."""

from collections.abc import Callable, Generator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from visionbias.datasets.label_map import LabelMap
from visionbias.engine import agreement
from visionbias.engine.scoring import Scorer

N, CLASSES = 1024, 3
DIFFER = f"of {N} decisions differ from those of the model as it is"


class Deciding:
    """A forward pass with given decisions, one a stimulus."""

    def __init__(self, decisions: Tensor, dtype: torch.dtype = torch.bfloat16) -> None:
        self.decisions, self.dtype = decisions, dtype

    def __call__(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(self.decisions[rows], CLASSES).float()


def stimuli(n: int = N, batch: int = 32) -> Iterator[tuple[Tensor, Tensor, Scorer]]:
    """Rows in place of pixels; all labels are 0."""
    scorer = Scorer(LabelMap(("a", "b", "c"), ((0,), (1,), (2,))), torch.device("cpu"))
    for rows in torch.arange(n).split(batch):
        yield rows, torch.zeros(len(rows), dtype=torch.int64), scorer


def decided(ones: Sequence[int], twos: Sequence[int] = ()) -> Tensor:
    decisions = torch.zeros(N, dtype=torch.int64)
    decisions[list(ones)] = 1
    decisions[list(twos)] = 2
    return decisions


@pytest.mark.parametrize(
    ("fast", "exact", "reason"),
    [
        (decided(range(5)), decided(range(5, 10)), None),  # as many won as lost
        (decided(range(5)), decided([]), None),  # 5 lost of 5: chance gives 1 + 2 sqrt(5)
        (decided(range(8)), decided([]), "accuracy differs by -0.78% on 1024 stimuli"),
        (decided([]), decided(range(8)), "accuracy differs by +0.78% on 1024 stimuli"),
        (decided([], range(10)), decided(range(10)), None),  # wrong in another way
        (
            decided([], range(11)),
            decided(range(11)),
            "11 of 1024 decisions differ from those of the model as it is, more than 1.0%",
        ),
    ],
)
def test_neither_decisions_nor_accuracy_may_change(fast: Tensor, exact: Tensor, reason: str | None) -> None:
    figures = agreement.compare(Deciding(fast), Deciding(exact), stimuli())
    assert figures.get("reason") == reason
    assert figures["compared"] == N
    assert figures["flips"] == float((fast != exact).sum()) / N
    right = (fast == 0).int() - (exact == 0).int()
    assert figures["accuracy_change"] == int(right.sum()) / N
    assert figures["accuracy_change_se"] == pytest.approx(float(right.abs().sum()) ** 0.5 / N)


def test_float16_is_bound_to_a_third() -> None:
    fast, exact = decided([], range(4)), decided(range(4))
    assert "reason" not in agreement.compare(Deciding(fast), Deciding(exact), stimuli())
    figures = agreement.compare(Deciding(fast, torch.float16), Deciding(exact), stimuli())
    assert figures["reason"] == f"4 {DIFFER}, more than 0.3%"


@pytest.mark.parametrize(
    ("stimuli", "wanted"),
    [(1, (4,)), (128 * 128, (4,)), (128 * 1024, (32,)), (128 * 4096, (32, 128)), (122_000_000, (32, 512))],
)
def test_a_share_of_the_study_is_compared(stimuli: int, wanted: tuple[int, ...]) -> None:
    assert agreement.looks(stimuli, 32) == wanted


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_no_figures_of_what_is_not_finite(broken: int, value: float) -> None:
    class Broken(Deciding):
        def __call__(self, rows: Tensor) -> Tensor:
            return super().__call__(rows).index_fill(1, torch.tensor([1]), value)

    same = decided(range(5))
    pair = [Broken(same) if i == broken else Deciding(same) for i in range(2)]
    assert agreement.compare(*pair, stimuli()) == {"reason": "NaN or infinite logits"}


def batches_alone(study: None, prepared: object, model: None, batches: int) -> Generator[int, None, None]:
    """In place of a sample, how many batches it would have."""
    yield batches


@pytest.mark.parametrize(
    ("changes", "compared"),
    [([0.001], 32), ([-0.002, 0.0005], 512), ([0.002, 0.0015], 512)],
)
def test_what_is_open_is_compared_on_more(changes: list[float], compared: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter(changes)

    def compare(forward: Any, exact: Any, sample: Iterator[int]) -> dict[str, Any]:
        return {"compared": next(sample), "accuracy_change": next(seen)}

    monkeypatch.setattr(agreement, "compare", compare)
    monkeypatch.setattr(agreement, "_sample", batches_alone)
    prepared = SimpleNamespace(stimuli=10_000_000, forward_batch=32)
    ask: Callable[..., dict[str, Any]] = agreement.agreement
    assert ask(None, None, None, prepared, None) == {"compared": compared, "accuracy_change": changes[-1]}
    assert not list(seen)


def test_what_is_refused_is_not_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"reason": "flips", "accuracy_change": 0.5}
    monkeypatch.setattr(agreement, "compare", lambda forward, exact, sample: refused | {"compared": next(sample)})
    monkeypatch.setattr(agreement, "_sample", batches_alone)
    prepared = SimpleNamespace(stimuli=10_000_000, forward_batch=32)
    ask: Callable[..., dict[str, Any]] = agreement.agreement
    assert ask(None, None, None, prepared, None)["compared"] == 32
