# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""From logits to record columns, on the device: only a few bytes a sample leave it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.datasets.label_map import LabelMap
from visionbias.datasets.sixteen import CATEGORIES16


@dataclass(frozen=True)
class Scores:
    """Record columns of one batch, plus whether every logit of a sample is finite."""

    pred: Tensor  # [N] int64, index into the data's classes
    in_top5: Tensor  # [N] bool
    p_label: Tensor  # [N] float64
    margin: Tensor  # [N] float64
    decision16: Tensor | None  # [N] int64, index into the 16 categories
    finite: Tensor  # [N] bool

    def send(self) -> "Sent":
        """All of them on their way to the host, by one transfer, for which a GPU does not wait."""
        named = {name: getattr(self, name) for name in _TYPES}
        given = {name: column.double() for name, column in named.items() if column is not None}
        packed = torch.stack(list(given.values()))
        if not packed.is_cuda:
            return Sent(tuple(given), packed.cpu(), None)
        host = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
        host.copy_(packed, non_blocking=True)
        return Sent(tuple(given), host, torch.cuda.current_stream(packed.device).record_event())


@dataclass(frozen=True)
class Sent:
    """Columns on their way to the host."""

    names: tuple[str, ...]
    packed: Tensor  # [names, N] float64, on the host
    arrived: torch.cuda.Event | None  # None: they are there

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name, once they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return {name: column.astype(_TYPES[name]) for name, column in zip(self.names, self.packed.numpy(), strict=True)}


_TYPES = {
    "pred": np.int32,
    "in_top5": np.bool_,
    "p_label": np.float32,
    "margin": np.float32,
    "decision16": np.int8,
    "finite": np.bool_,
}


class _ClassMeans:
    """log of the mean probability, over the softmax of all the model's classes, of each group of them."""

    def __init__(self, groups: Sequence[Sequence[int]], device: torch.device) -> None:
        flat = [index for members in groups for index in members]
        self._mapped = torch.tensor(flat, device=device)  # [mapped] model classes, group by group
        self._mean = torch.zeros(len(flat), len(groups), dtype=torch.float64, device=device)
        row = 0
        for column, members in enumerate(groups):
            self._mean[row : row + len(members), column] = 1 / len(members)
            row += len(members)

    def __call__(self, logits: Tensor) -> Tensor:  # [N, K] float64 -> [N, groups]
        mapped = logits[:, self._mapped]
        top = mapped.detach().amax(dim=1, keepdim=True)
        return ((mapped - top).exp() @ self._mean).log() + top - logits.logsumexp(dim=1, keepdim=True)


class Scorer:
    """Scores logits against labels through a label map.

    One model class a data class (all of them, or a subset): the softmax is over those classes. Several: the probability
    of a data class is the mean over its members of the softmax over all the model's classes. With `decides16` the
    logits are of ImageNet's 1000 classes, and the decision among the 16 categories, by mean probability, comes too.
    """

    def __init__(self, label_map: LabelMap, device: torch.device, decides16: bool = False) -> None:
        self._single: Tensor | None = None  # [K data] model class of each data class
        if all(len(members) == 1 for members in label_map.members):
            self._single = torch.tensor([members[0] for members in label_map.members], device=device)
        else:
            self._means = _ClassMeans(label_map.members, device)
        self._sixteen = _ClassMeans(tuple(CATEGORIES16.values()), device) if decides16 else None

    def log_p(self, logits: Tensor) -> Tensor:  # [N, K] float64 -> [N, K data]
        """log of the probability of each of the data's classes, with a gradient; means do not add up to 1."""
        return self._means(logits) if self._single is None else logits[:, self._single].log_softmax(dim=1)

    def __call__(self, logits: Tensor, labels: Tensor) -> Scores:  # [N, K] float32, [N] int64
        """Columns of the N samples."""
        # In float64, where the probability of a hopeless class does not underflow to a tie at zero.
        wide = logits.double()
        log_p = self.log_p(wide)
        own = log_p.gather(1, labels[:, None])
        others = log_p.scatter(1, labels[:, None], -torch.inf)
        # Ties go to the lower index, in the ranking as in argmax, so that a correct prediction is always in the top 5.
        index = torch.arange(log_p.shape[1], device=log_p.device)
        better = (others > own) | ((others == own) & (index < labels[:, None]))
        return Scores(
            pred=log_p.argmax(dim=1),
            in_top5=better.sum(dim=1) < 5,
            p_label=own[:, 0].exp(),
            margin=own[:, 0] - others.amax(dim=1),
            decision16=None if self._sixteen is None else self._sixteen(wide).argmax(dim=1),
            finite=logits.isfinite().all(dim=1),
        )
