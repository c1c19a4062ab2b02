# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""From logits to record columns, on the device: only a few bytes a sample leave it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visionbias.datasets.label_map import LabelMap


@dataclass(frozen=True)
class Scores:
    """Record columns of one batch, plus whether every logit of a sample is finite."""

    pred: Tensor  # [N] int64, index into the data's classes
    in_top5: Tensor  # [N] bool
    p_label: Tensor  # [N] float64
    margin: Tensor  # [N] float64
    finite: Tensor  # [N] bool

    def packed(self) -> Tensor:  # [5, N] float64
        """All columns as one tensor, so that one transfer brings them to the host."""
        return torch.stack(
            [column.double() for column in (self.pred, self.in_top5, self.p_label, self.margin, self.finite)]
        )


class Scorer:
    """Scores logits against labels through a label map.

    One model class a data class (all of them, or a subset): the softmax is over those classes. Several: the probability
    of a data class is the mean over its members of the softmax over all the model's classes.
    """

    def __init__(self, label_map: LabelMap, device: torch.device) -> None:
        self._single: Tensor | None = None  # [K data] model class of each data class
        if all(len(members) == 1 for members in label_map.members):
            self._single = torch.tensor([members[0] for members in label_map.members], device=device)
            return
        flat = [index for members in label_map.members for index in members]
        self._mapped = torch.tensor(flat, device=device)  # [mapped] model classes, grouped by data class
        self._mean = torch.zeros(len(flat), len(label_map.members), dtype=torch.float64, device=device)
        for column, members in enumerate(label_map.members):
            row = flat.index(members[0])
            self._mean[row : row + len(members), column] = 1 / len(members)

    def __call__(self, logits: Tensor, labels: Tensor) -> Scores:  # [N, K] float32, [N] int64
        """Columns of the N samples."""
        # In float64, where the probability of a hopeless class does not underflow to a tie at zero.
        if self._single is not None:
            log_p = logits[:, self._single].double().log_softmax(dim=1)
        else:
            wide = logits.double()
            mapped = wide[:, self._mapped]
            top = mapped.amax(dim=1, keepdim=True)
            log_p = ((mapped - top).exp() @ self._mean).log() + top - wide.logsumexp(dim=1, keepdim=True)
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
            finite=logits.isfinite().all(dim=1),
        )
