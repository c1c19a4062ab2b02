# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A model under attack."""

import torch
from torch import Tensor

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import ImageBatch
from visionbias.datasets.label_map import LabelMap
from visionbias.engine.scoring import Scorer
from visionbias.models.differentiable import Differentiable
from visionbias.models.forward import Forward
from visionbias.models.model import Model
from visionbias.ops.normalize import normalize


class Target:
    """Attacks one model and shows it what comes of that, in float32 always.

    In 16 bits small gradients are rounded to zero, and of a pixel near 1 so are changes as small as those of an attack:
    the model would look more robust than it is. The batch is fixed, as that of `Forward` is.
    """

    def __init__(self, model: Model, label_map: LabelMap, device: torch.device, batch: int) -> None:
        with torch.inference_mode(False):  # what is made in that mode cannot be saved for a gradient
            self._differentiable = Differentiable(model, device)
            self._scorer = Scorer(label_map, device)
        self._forward = Forward(model, device=device, batch=batch)
        self._normalization = model.normalization

    def images(
        self,
        attack: Attack,
        batch: ImageBatch,  # n images, at most the batch
        labels: Tensor,  # [n] int64
        seed: int,
    ) -> Tensor:  # float32 [N, C, H, W] in [0, 1]
        """The images attacked; copies of the last one fill the batch.

        Raises:
            CheckpointError: the model fails.
            ShapeError: it has no gradient, or one that is not finite.
            BackendError: there is not enough memory.
        """
        rows = torch.arange(self._forward.batch, device=labels.device).clamp(max=len(labels) - 1)
        images = batch.images[rows].contiguous(memory_format=self._differentiable.memory_format)
        filled = ImageBatch(images, [batch.sample_ids[row] for row in rows.tolist()])
        return attack.images(self._class_scores, filled, labels[rows], seed)

    def logits(self, attack: Attack, batch: ImageBatch, labels: Tensor, seed: int) -> Tensor:  # float32 [N, K]
        """What the model says of the images attacked.

        Raises:
            CheckpointError, ShapeError, BackendError: see `images`.
        """
        images, scale = self.images(attack, batch, labels, seed), self._normalization
        return self._forward(normalize(images, scale.mean, scale.std, memory_format=self._differentiable.memory_format))

    def _class_scores(self, images: Tensor) -> Tensor:  # float32 [N, C, H, W] -> float64 [N, K data]
        # In float64, as records are scored: a hopeless label has a gradient still.
        return self._scorer.log_p(self._differentiable(images).double())
