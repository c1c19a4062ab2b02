# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Columns from logits, against NumPy written out."""

import numpy as np
import pytest
import torch

from visionbias.datasets.label_map import LabelMap
from visionbias.engine.scoring import Scorer


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(0, 3, (40, 12)).astype(np.float32))


def test_all_classes(logits: torch.Tensor) -> None:
    labels = torch.arange(40) % 12
    scores = Scorer(LabelMap.identity([f"c{i}" for i in range(12)]), torch.device("cpu"))(logits, labels)
    p = softmax(logits.double().numpy())
    own = p[np.arange(40), labels]
    p_other = p.copy()
    p_other[np.arange(40), labels] = 0
    assert (scores.pred.numpy() == p.argmax(axis=1)).all()
    assert (scores.in_top5.numpy() == ((p > own[:, None]).sum(axis=1) < 5)).all()
    assert 0 < scores.in_top5.sum() < 40
    np.testing.assert_allclose(scores.p_label, own, rtol=1e-12)
    np.testing.assert_allclose(scores.margin, np.log(own) - np.log(p_other.max(axis=1)), rtol=1e-9, atol=1e-12)
    assert scores.finite.all()


def test_a_few_bytes_a_sample_leave_the_device(logits: torch.Tensor) -> None:
    scorer = Scorer(LabelMap.identity([f"c{i}" for i in range(12)]), torch.device("cpu"))
    sent = scorer(logits, torch.zeros(40, dtype=torch.int64)).send()
    assert sent.packed.nbytes == 40 * 5 * 8, "whatever the number of classes"


def test_subset_is_a_softmax_over_the_subset(logits: torch.Tensor) -> None:
    chosen = [7, 2, 9]
    label_map = LabelMap.groups({"a": 7, "b": 2, "c": 9})
    labels = torch.arange(40) % 3
    scores = Scorer(label_map, torch.device("cpu"))(logits, labels)
    p = softmax(logits.double().numpy()[:, chosen])
    assert (scores.pred.numpy() == p.argmax(axis=1)).all()
    np.testing.assert_allclose(scores.p_label, p[np.arange(40), labels], rtol=1e-12)


def test_groups_take_the_mean_probability(logits: torch.Tensor) -> None:
    members = {"a": [0, 1, 2, 3, 4], "b": [5], "c": [6, 7]}
    scores = Scorer(LabelMap.groups(members), torch.device("cpu"))(logits, torch.zeros(40, dtype=torch.int64))
    p = softmax(logits.double().numpy())
    mean = np.stack([p[:, group].mean(axis=1) for group in members.values()], axis=1)
    assert (scores.pred.numpy() == mean.argmax(axis=1)).all()
    assert (scores.pred.numpy() != np.stack([p[:, g].sum(axis=1) for g in members.values()], 1).argmax(axis=1)).any()
    np.testing.assert_allclose(scores.p_label, mean[:, 0], rtol=1e-12)


def test_groups_that_a_model_holds_for_hopeless_are_still_ranked() -> None:
    """Logits that differ by more than float64's exponents reach: all mass is on a class that the map leaves out."""
    logits = torch.tensor([[0.0, 0.0, 1.0, 2000.0]])
    scores = Scorer(LabelMap.groups({"a": [0, 1], "b": [2]}), torch.device("cpu"))(logits, torch.tensor([0]))
    assert scores.pred.tolist() == [1]
    assert scores.p_label.tolist() == [0.0]
    np.testing.assert_allclose(scores.margin, [-1.0], rtol=1e-12)


def test_ties_never_make_a_correct_prediction_miss_the_top_five() -> None:
    logits = torch.zeros(12, 12)
    scores = Scorer(LabelMap.identity([str(i) for i in range(12)]), torch.device("cpu"))(logits, torch.arange(12))
    assert scores.pred.tolist() == [0] * 12
    assert scores.in_top5.tolist() == [True] * 5 + [False] * 7


def test_infinite_and_nan_logits_are_flagged() -> None:
    logits = torch.zeros(3, 4)
    logits[1, 2], logits[2, 0] = float("nan"), float("inf")
    scores = Scorer(LabelMap.identity(list("abcd")), torch.device("cpu"))(logits, torch.zeros(3, dtype=torch.int64))
    assert scores.finite.tolist() == [True, False, False]
