# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A model as attacks need it: a differentiable function of images."""

import torch
from torch import Tensor

from visionbias.models.forward import checked_logits
from visionbias.models.model import Model


class Differentiable:
    """Images in [0, 1] to logits, normalized on the way, with a gradient.

    Always in float32 and eager.
    """

    def __init__(self, model: Model, device: torch.device) -> None:
        self._model = model
        self._mean, self._std = (
            torch.tensor(values, device=device).view(-1, 1, 1)
            for values in (model.normalization.mean, model.normalization.std)
        )
        self.memory_format = torch.channels_last if model.channels_last else torch.contiguous_format

    def __call__(self, images: Tensor) -> Tensor:  # [N, 3, H, W] float32 -> [N, K] float32
        """Logits of images, best in `memory_format`.

        Raises:
            CheckpointError: the model fails, or what it returns is not [N, K] logits.
        """
        x = ((images - self._mean) / self._std).contiguous(memory_format=self.memory_format)
        return checked_logits(self._model.call, x, self._model.id, self._model.num_classes).float()
