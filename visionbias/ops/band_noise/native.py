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
from visionbias.ops.kernel_memory import scale_and_shift
from visionbias.ops.native import (
    Memory,
    engine,
    engine_output,
    images_in,
    images_out,
    memory,
    refuse_output,
)

Fields = tuple[int, Memory, list[int], list[int], Memory, int, int]


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    return refuse_output(spec.output.dtype, spec.output.device)


class NativeKernel:
    """The engine's plan of bands and strengths."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.plan = engine().BandNoise(
            size=(spec.height, spec.width),
            levels=[level_of("critical_band", band, spec.height, spec.width) for band in spec.bands],
            residual=level_count(spec.height, spec.width) - 1,
            sds=spec.noise_sds,
            contrast=spec.contrast,
            luminance=spec.luminance,
            **scale_and_shift(spec.output.mean, spec.output.std),
        )

    def bands(self, noise: Noise, out: Tensor) -> None:
        """See `Kernel.bands`."""
        whole = out.dtype == torch.float32 and out.is_contiguous()
        unit = out if whole else torch.empty(out.shape, dtype=torch.float32, device=out.device)
        fields = self._fields(noise)
        self.plan.bands(fields=fields, out=memory(unit), n=out.shape[1], threads=torch.get_num_threads())
        if unit is not out:
            out.copy_(unit)

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        with engine_output(out) as y:
            self.plan.run(
                fields=self._fields(noise),
                x=images_in(x),
                out=images_out(y),
                n=len(x),
                channels=x.shape[1],
                threads=torch.get_num_threads(),
            )

    def _fields(self, noise: Noise) -> Fields:
        """What the engine is told of the noise."""
        drawn = noise if isinstance(noise, DrawnNoise) else noise.drawn
        bands, keys = self.spec.bands, memory(torch.from_numpy(drawn.keys))
        streams = [drawn.stream(band) for band in (bands[:1] if drawn.common else bands)]
        redraws = [drawn.redraw_stream(band, sd) for sd in self.spec.noise_sds for band in bands]
        if isinstance(noise, DrawnNoise):
            return drawn.seed, keys, streams, redraws, (0, None), 0, 0
        given = noise.fields.resolve_neg().to(torch.float32).contiguous()
        stride_b = given.stride(0) if given.ndim == 4 else 0
        return drawn.seed, keys, streams, redraws, memory(given), given.stride(-3), stride_b
