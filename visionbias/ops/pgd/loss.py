# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What an attack maximizes: the cross-entropy of a classifier, and its gradient in the images."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from visionbias.errors import ShapeError

Classifier = Callable[[Tensor], Tensor]  # [N, C, H, W] in [0, 1] -> logits [N, K], differentiable


class Loss:
    """Cross-entropy, summed over the images, so that the gradient of an image does not depend on the others.

    Keeps count of gradients that are not finite without waiting for the device: their sign would be 0, and a model
    without a gradient would look robust.
    """

    def __init__(
        self,
        model: Classifier,
        labels: Tensor,  # [N] int64
    ) -> None:
        self._model, self._labels = model, labels
        self._low, self._high = (int(end) for end in labels.aminmax()) if len(labels) else (0, 0)
        self._total = torch.zeros(len(labels), device=labels.device)  # of all gradients; NaN and infinity stay in it

    def gradient(
        self,
        images: Tensor,  # [N, C, H, W]
        of: Tensor,  # [N, C, H, W], from which the images were computed
    ) -> Tensor:
        """Gradient of the loss in `of`.

        Raises:
            ShapeError: what the model returns are no logits, have no gradient in the images, or lack a label's class.
        """
        logits = self._model(images)
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ShapeError(f"pgd: model must return logits [{len(images)}, K], got {got}")
        if self._low < 0 or self._high >= logits.shape[1]:
            raise ShapeError(
                f"pgd: labels must be classes of the model, 0 to {logits.shape[1] - 1}, got {self._low} to {self._high}"
            )
        loss = cross_entropy(logits, self._labels, reduction="sum")
        gradient = torch.autograd.grad(loss, of, allow_unused=True)[0] if loss.requires_grad else None
        if gradient is None:
            raise ShapeError(
                "pgd: model must return logits with a gradient in the images, got logits without one; "
                "let it use torch operators alone, without no_grad, detach or NumPy"
            )
        self._total += gradient.sum(dim=(1, 2, 3))
        return gradient

    def check(self) -> None:
        """Demand that every gradient was finite.

        Raises:
            ShapeError: one was not.
        """
        wrong = ~self._total.isfinite()
        if wrong.any():
            first = int(wrong.nonzero()[0])
            raise ShapeError(
                f"pgd: model must have a finite gradient, got NaN or infinity for {int(wrong.sum())} of {len(wrong)} "
                f"images, image {first} among them; it may divide by zero or take the root or logarithm of it"
            )
