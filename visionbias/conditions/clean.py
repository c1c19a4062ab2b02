# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The unchanged image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CLEAN = "clean"


@dataclass(frozen=True)
class Clean:
    """One condition, `clean`: the crop itself, normalized."""

    conditions: tuple[str, ...] = (CLEAN,)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:  # noqa: ARG002
        """See `Stimulus.renderer`."""
        from visionbias.ops.normalize import normalize

        def render(batch: ImageBatch, out: "Tensor") -> None:
            normalize(batch.images, normalization.mean, normalization.std, dtype=dtype, out=out[0])

        return render
