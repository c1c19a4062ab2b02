# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of images as one: the shape of the first, the texture of the second."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class MixedCues:
    """One condition, named by the method that mixes."""

    method: str

    @property
    def conditions(self) -> tuple[str, ...]:
        """Such as "cue-conflict-phase"."""
        return (f"cue-conflict-{self.method}",)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:  # noqa: ARG002
        """See `Stimulus.renderer`. The seed has chosen the pairs; mixing them is not random."""
        from visionbias.ops.spectrum_mix import cue_conflict

        def render(batch: ImageBatch, out: "Tensor") -> None:
            assert batch.partners is not None, "the data set must be of pairs"
            cue_conflict(
                batch.images,
                batch.partners,
                method=self.method,
                mean=normalization.mean,
                std=normalization.std,
                dtype=dtype,
                out=out[0],
            )

        return render
