# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Grey images of low contrast in noise of one octave: the stimuli of critical-band masking."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.types import Normalization

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class NoiseBands:
    """One condition without noise, then one for each noise level and band: levels outer, bands inner."""

    bands: tuple[int, ...]  # B of 0 ... 6, 6 the finest
    noise_sds: tuple[float, ...]  # S standard deviations above 0, in units of the [0, 1] pixel scale
    common_random_numbers: bool

    @property
    def without_noise(self) -> str:
        """The condition of no noise."""
        return "low-contrast"

    def with_noise(self, sd: float, band: int) -> str:
        """The condition of one level in one band."""
        return f"noise-{sd:.4g}-band-{band}{'-common' if self.common_random_numbers else ''}"

    @property
    def conditions(self) -> tuple[str, ...]:
        """[1 + S * B] names."""
        noisy = (self.with_noise(sd, band) for sd in self.noise_sds for band in self.bands)
        return (self.without_noise, *noisy)

    def renderer(self, normalization: Normalization, dtype: "torch.dtype", seed: int) -> Renderer:
        """See `Stimulus.renderer`."""
        from visionbias.ops.band_noise import critical_band

        mean, std = normalization.mean, normalization.std

        def render(batch: ImageBatch, out: "Tensor") -> None:
            def show(bands: tuple[int, ...], noise_sds: tuple[float, ...], part: "Tensor") -> None:
                critical_band(
                    batch.images,
                    bands=bands,
                    noise_sds=noise_sds,
                    seed=seed,
                    sample_ids=batch.sample_ids,
                    common_random_numbers=self.common_random_numbers,
                    mean=mean,
                    std=std,
                    dtype=dtype,
                    out=part.view(len(noise_sds), len(bands), *part.shape[1:]),
                )

            show(self.bands[-1:], (0.0,), out[:1])
            show(self.bands, self.noise_sds, out[1:])

        return render
