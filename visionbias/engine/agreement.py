# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a faster forward pass decides as the exact one does, on a sample of a study's stimuli."""

from collections.abc import Generator, Iterator
from contextlib import closing
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from visionbias.engine.inputs import render_batch, stimulus_buffer
from visionbias.engine.scoring import Scorer
from visionbias.models.forward import Forward
from visionbias.models.model import ModelInfo

if TYPE_CHECKING:
    from visionbias.engine.prepare import Prepared
    from visionbias.engine.study import Study

# Decisions among the compared that may differ, by what a copy runs in; one in float32 rounds in another order.
MOST_FLIPS = {torch.float32: 0.001, torch.float16: 0.003, torch.bfloat16: 0.01}
MOST_CHANGE = 0.001  # of accuracy, beyond what the differing decisions give by chance
_ONE_IN = 128  # stimuli of the study is compared, which takes a few percent of its time at most
_LEAST = 128  # stimuli
_FIRST = 1024  # at most
_MOST = 16_384  # where those leave the accuracy open


def agreement(
    forward: Forward, exact: Forward, study: "Study", prepared: "Prepared", model: ModelInfo
) -> dict[str, Any]:
    """Figures of how a model's forward pass decides against its exact one; with a `reason` if it must not take its
    place.

    A thousand stimuli seldom tell whether accuracy changes by less than 0.1 points. Where it changes by more among
    them, but not by more than chance explains, up to 16 times as many are compared, and their figures count.

    Raises:
        CheckpointError: one of them fails.
    """
    figures: dict[str, Any] = {}
    for batches in looks(prepared.stimuli, prepared.forward_batch):
        with closing(_sample(study, prepared, model, batches)) as stimuli:
            figures = compare(forward, exact, stimuli)
        if "reason" in figures or abs(figures["accuracy_change"]) <= MOST_CHANGE:
            break
    return figures


def looks(stimuli: int, batch: int) -> tuple[int, ...]:
    """On how many batches of the stimuli of a study each model is compared, and on how many if those do not tell."""
    few, many = (max(1, round(min(max(stimuli // _ONE_IN, _LEAST), most) / batch)) for most in (_FIRST, _MOST))
    return (few, many) if many > few else (few,)


def compare(
    forward: Forward,
    exact: Forward,
    stimuli: Iterator[tuple[Tensor, Tensor, Scorer]],  # [batch, C, H, W], labels [n], and what scores them
) -> dict[str, Any]:
    """Figures of how a forward pass decides against the exact one; with a `reason` if it must not take its place.

    Raises:
        CheckpointError: one of them fails.
    """
    n = flips = changed = change = 0
    off = scale = 0.0
    for stimulus, labels, scorer in stimuli:
        logits, wanted = (call(stimulus)[: len(labels)] for call in (forward, exact))
        own, other = (scorer(each, labels) for each in (logits, wanted))
        if not bool((own.finite & other.finite).all()):
            return {"reason": "NaN or infinite logits"}
        wide = wanted.double()
        off += float((logits - wide).square().sum())
        scale += float(wide.square().sum())
        right = (own.pred == labels).int() - (other.pred == labels).int()
        n += len(labels)
        flips += int((own.pred != other.pred).sum())
        changed += int(right.abs().sum())
        change += int(right.sum())
    figures: dict[str, Any] = {
        "compared": n,
        "flips": flips / n,
        "accuracy_change": change / n,
        "accuracy_change_se": sqrt(changed) / n,
        "logit_error": sqrt(off / scale) if scale else 0.0,  # root mean square, relative
    }
    limit = MOST_FLIPS[forward.dtype]
    if flips > limit * n:
        figures["reason"] = f"{flips} of {n} decisions differ from those of the model as it is, more than {limit:.1%}"
    elif abs(change) > MOST_CHANGE * n + 2 * sqrt(changed):
        figures["reason"] = f"accuracy differs by {change / n:+.2%} on {n} stimuli"
    return figures


def _sample(
    study: "Study", prepared: "Prepared", model: ModelInfo, count: int
) -> Generator[tuple[Tensor, Tensor, Scorer], None, None]:
    """About so many batches of float32 stimuli of all data sets, of images and conditions at even distances.

    They are of the whole study, whatever shard runs, so every shard would choose alike.
    """
    conditions = [condition for arm in prepared.arms for condition in arm.arm.common_conditions]
    batch = prepared.forward_batch
    picked = {conditions[i] for i in np.linspace(0, len(conditions) - 1, count).round().astype(int)}
    images = batch * -(-count // len(picked))
    for arm in prepared.arms:
        group, scorer = arm.group_of(model), Scorer(arm.label_maps[model.id], prepared.device)
        shown = [stimulus for stimulus in arm.arm.stimuli if not picked.isdisjoint(arm.arm.conditions_of(stimulus))]
        if not shown:
            continue
        renderers = {stimulus: stimulus.renderer(group.normalization, torch.float32, study.seed) for stimulus in shown}
        most, size = max(len(stimulus.conditions) for stimulus in shown), group.preprocessing.crop
        buffer = stimulus_buffer(most, batch, size, torch.float32, prepared.device)
        n = len(arm.sample_ids)
        rows = np.unique(np.linspace(0, n - 1, min(n, images)).round().astype(np.int64))
        try:
            for few in np.split(rows, range(batch, len(rows), batch)):
                loaded = group.decoded.load(arm.rows[few], list(arm.sample_ids[few]), prepared.device)
                labels = torch.from_numpy(arm.labels[few]).to(prepared.device)
                for stimulus, renderer in renderers.items():
                    own = arm.arm.conditions_of(stimulus)
                    render_batch(renderer, loaded, buffer[: len(own)], prepared.batch_size)
                    for condition, stimuli in zip(own, buffer, strict=False):
                        if condition in picked:
                            yield stimuli, labels, scorer
        finally:
            group.decoded.close()
