# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Adversarial images: unlike other stimuli they are made for one model, from its gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch
from visionbias.ops.filter_bank.bands import Band

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Attack:
    """Projected gradient descent in all frequencies or within a band, see `visionbias.ops.pgd`. One condition."""

    eps: float  # in units of the [0, 1] pixel scale
    steps: int
    step_size: float
    random_start: bool
    band: Band | None = None  # None: all frequencies

    @property
    def condition(self) -> str:
        """Such as "pgd-40-eps0.5-step2" or "pgd-40-eps0.5-step2-still-octave-3"; eps and step in units of 1/255."""
        parts = [f"pgd-{self.steps}-eps{255 * self.eps:.4g}-step{255 * self.step_size:.4g}"]
        parts += [] if self.random_start else ["still"]
        parts += [] if self.band is None else [self.band.name]
        return "-".join(parts)

    def images(
        self,
        classify: "Callable[[Tensor], Tensor]",  # float32 [N, C, H, W] in [0, 1] -> logits [N, K data], differentiable
        batch: ImageBatch,
        labels: "Tensor",  # [N] int64, below K data
        seed: int,
    ) -> "Tensor":  # float32 [N, C, H, W] in [0, 1]
        """The images of a batch, attacked.

        Raises:
            ShapeError: `classify` has no gradient, or one that is not finite.
        """
        from visionbias.ops.pgd import pgd

        return pgd(
            classify,
            batch.images,
            labels,
            eps=self.eps,
            steps=self.steps,
            step_size=self.step_size,
            random_start=self.random_start,
            sample_ids=batch.sample_ids,
            seed=seed,
            band=self.band,
        )
