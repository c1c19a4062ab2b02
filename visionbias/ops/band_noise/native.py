# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band by the CPU engine: csrc/cpu/band_noise.

x [N, C, H, W] u8 or float, any strides -> out [S, B, N, 3, H, W] f16, bf16 or f32
All bands and strengths of an image in one visit; images are spread over `torch.get_num_threads()` threads.
"""

import torch
from torch import Tensor

from visionbias.ops.band_noise.fields import DrawnNoise, Noise
from visionbias.ops.band_noise.pyramid import level_count, level_of
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.native import (
    engine,
    engine_input,
    engine_output,
    images_in,
    images_out,
    refuse_output,
    scale_and_shift,
)

Fields = tuple[int, int, list[int], list[int], int, int, int]


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    return refuse_output(spec.output.dtype, spec.output.device)


class NativeKernel:
    """The engine's plan of bands and strengths."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        scale, shift = scale_and_shift(spec.output.mean, spec.output.std)
        self.plan = engine().BandNoise(
            size=(spec.height, spec.width),
            levels=[level_of("critical_band", band, spec.height, spec.width) for band in spec.bands],
            residual=level_count(spec.height, spec.width) - 1,
            sds=spec.noise_sds,
            contrast=spec.contrast,
            luminance=spec.luminance,
            scale=scale.tolist(),
            shift=shift.tolist(),
        )

    def bands(self, noise: Noise, out: Tensor) -> None:
        """See `Kernel.bands`."""
        whole = out.dtype == torch.float32 and out.is_contiguous()
        unit = out if whole else torch.empty(out.shape, dtype=torch.float32, device=out.device)
        keys, given = _memory(noise)
        fields = self._fields(noise, keys, given)
        self.plan.bands(fields=fields, out=unit.data_ptr(), n=out.shape[1], threads=torch.get_num_threads())
        if unit is not out:
            out.copy_(unit)

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        x = engine_input(x)
        keys, given = _memory(noise)
        with engine_output(out) as y:
            self.plan.run(
                fields=self._fields(noise, keys, given),
                x=images_in(x),
                out=images_out(y),
                n=len(x),
                channels=x.shape[1],
                threads=torch.get_num_threads(),
            )

    def _fields(self, noise: Noise, keys: Tensor, given: Tensor | None) -> Fields:
        """What the engine is told of the noise. It keeps neither tensor."""
        drawn = noise if isinstance(noise, DrawnNoise) else noise.drawn
        bands = self.spec.bands
        streams = [drawn.stream(band) for band in (bands[:1] if drawn.common else bands)]
        redraws = [drawn.redraw_stream(band, sd) for sd in self.spec.noise_sds for band in bands]
        if given is None:
            return drawn.seed, keys.data_ptr(), streams, redraws, 0, 0, 0
        stride_b = given.stride(0) if given.ndim == 4 else 0
        return drawn.seed, keys.data_ptr(), streams, redraws, given.data_ptr(), given.stride(-3), stride_b


def _memory(noise: Noise) -> tuple[Tensor, Tensor | None]:
    """Keys [N, 2] and given fields as the engine reads them."""
    if isinstance(noise, DrawnNoise):
        return torch.from_numpy(noise.keys), None
    return torch.from_numpy(noise.drawn.keys), noise.fields.to(torch.float32).contiguous()
