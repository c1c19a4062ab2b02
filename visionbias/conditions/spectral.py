# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Band-filtered images: any bank of low-, high- and band-pass filters."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.ops.filter_bank.bands import Band
from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor


# The study's floats to the bit, as np.arange(0.1, 0.99, 0.1) makes them: the radii depend on their rounding.
STUDY_CUTOFFS = (0.01, *(0.1 + i * 0.1 for i in range(9)), 0.99)


@dataclass(frozen=True)
class FilteredImages:
    """One condition a band, named by the band; all share one forward transform of the image."""

    bands: tuple[Band, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the bands [F]."""
        return tuple(band.name for band in self.bands)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:  # noqa: ARG002
        """See `Stimulus.renderer`."""
        from visionbias.ops.filter_bank import filter_bank

        def render(batch: ImageBatch, out: "Tensor") -> None:
            filter_bank(batch.images, self.bands, mean=normalization.mean, std=normalization.std, dtype=dtype, out=out)

        return render
