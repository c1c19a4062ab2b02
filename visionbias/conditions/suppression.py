# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images from which shape or color is taken at graded strengths; smooth ones, without texture, are filtered images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class ShuffledPatches:
    """One condition a grid: the image cut into grid x grid blocks that change places."""

    grids: tuple[int, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Such as "patch-shuffle-4"."""
        return tuple(f"patch-shuffle-{grid}" for grid in self.grids)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:
        """See `Stimulus.renderer`."""
        from visionbias.ops.patch_shuffle import patch_shuffle

        def render(batch: ImageBatch, out: "Tensor") -> None:
            for grid, part in zip(self.grids, out, strict=True):
                patch_shuffle(
                    batch.images,
                    grid=grid,
                    seed=seed,
                    sample_ids=batch.sample_ids,
                    mean=normalization.mean,
                    std=normalization.std,
                    dtype=dtype,
                    out=part,
                )

        return render


@dataclass(frozen=True)
class Desaturated:
    """One condition a strength: 0 is the image, 1 is grey."""

    strengths: tuple[float, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Such as "desaturate-0.5"."""
        return tuple(f"desaturate-{strength:.4g}" for strength in self.strengths)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:  # noqa: ARG002
        """See `Stimulus.renderer`."""
        from visionbias.ops.desaturate import desaturate

        def render(batch: ImageBatch, out: "Tensor") -> None:
            mean, std = normalization.mean, normalization.std
            for strength, part in zip(self.strengths, out, strict=True):
                desaturate(batch.images, strength=strength, mean=mean, std=std, dtype=dtype, out=part)

        return render
