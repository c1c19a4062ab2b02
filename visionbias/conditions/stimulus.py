# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What every kind of stimulus offers the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatch:
    """Images that are shown together."""

    images: "Tensor"  # [N, C, H, W] u8
    sample_ids: Sequence[str]  # [N]; randomness is a function of (seed, condition, sample id) only
    partners: "Tensor | None" = None  # [N, C, H, W] u8, the second image of each pair, in sets of pairs

    def __getitem__(self, rows: slice) -> "ImageBatch":
        return ImageBatch(
            self.images[rows], self.sample_ids[rows], None if self.partners is None else self.partners[rows]
        )


class Renderer(Protocol):
    """Turns u8 crops into the stimuli of all conditions at once."""

    def __call__(
        self,
        batch: ImageBatch,
        out: "Tensor",  # [F, N, C, H, W] normalized, any strides; overwritten
    ) -> None: ...


class Stimulus(Protocol):
    """A set of conditions that are synthesized together. Hashable: equal stimuli of several probes are shown once."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Condition ids [F], unique in a data set; each says everything that shapes its pixels but the seed."""
        ...

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:
        """What synthesizes the conditions, for one normalization and output dtype."""
        ...
