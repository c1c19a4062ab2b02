# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A model under attack."""

import torch
from torch import Tensor

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import ImageBatch
from visionbias.engine.scoring import Scorer
from visionbias.models.differentiable import Differentiable
from visionbias.models.model import Model
from visionbias.ops.normalize import normalize


class Target:
    """Makes attacked images of one model for a data set. The batch is fixed, as that of `Forward` is."""

    def __init__(self, model: Model, scorer: Scorer, device: torch.device, batch: int) -> None:
        self._logits = Differentiable(model, device)
        self._scorer = scorer
        self._normalization = model.normalization
        self._batch = batch

    def attacked(
        self,
        attack: Attack,
        batch: ImageBatch,
        labels: Tensor,  # [n] int64, n <= batch
        seed: int,
    ) -> Tensor:  # float32 [n, C, H, W] in [0, 1]
        """The images of a batch, filled up with copies of its last one.

        Raises:
            CheckpointError: the model fails.
            ShapeError: it has no gradient, or one that is not finite.
        """
        n = len(batch.images)
        rows = torch.arange(self._batch).clamp(max=n - 1)
        images = batch.images[rows.to(labels.device)].contiguous(memory_format=self._logits.memory_format)
        filled = ImageBatch(images, [batch.sample_ids[row] for row in rows.tolist()])
        return attack.images(self._classify, filled, labels[rows.to(labels.device)], seed)[:n]

    def show(self, attack: Attack, batch: ImageBatch, labels: Tensor, seed: int, out: Tensor) -> None:
        """Overwrite out [batch, C, H, W] with the attacked images, normalized; rows past the last sample are zero.

        Raises:
            CheckpointError, ShapeError: see `attacked`.
        """
        images = self.attacked(attack, batch, labels, seed)
        n, scale = len(images), self._normalization
        normalize(images, scale.mean, scale.std, dtype=out.dtype, out=out[:n])
        out[n:] = 0

    def _classify(self, images: Tensor) -> Tensor:  # float32 [N, C, H, W] -> log p [N, K data]
        # In float64, as records are scored: a hopeless label has a slope still.
        return self._scorer.log_p(self._logits(images).double())
