# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band by the CPU engine: csrc/cpu/band_noise.

x [N, C, H, W] u8 or float, any strides -> out [S, B, N, 3, H, W] f16, bf16 or f32
All bands and strengths of an image in one visit; images are spread over `torch.get_num_threads()` threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

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
        with self._fields(noise) as fields:
            self.plan.bands(fields=fields, out=unit.data_ptr(), n=out.shape[1], threads=torch.get_num_threads())
        if unit is not out:
            out.copy_(unit)

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        x = engine_input(x)
        with engine_output(out) as y, self._fields(noise) as fields:
            self.plan.run(
                fields=fields,
                x=images_in(x),
                out=images_out(y),
                n=len(x),
                channels=x.shape[1],
                threads=torch.get_num_threads(),
            )

    @contextmanager
    def _fields(self, noise: Noise) -> Iterator[Fields]:
        """What the engine is told of the noise. Its addresses hold as long as the block."""
        drawn = noise if isinstance(noise, DrawnNoise) else noise.drawn
        bands, keys = self.spec.bands, drawn.keys
        streams = [drawn.stream(band) for band in (bands[:1] if drawn.common else bands)]
        redraws = [drawn.redraw_stream(band, sd) for sd in self.spec.noise_sds for band in bands]
        if isinstance(noise, DrawnNoise):
            yield drawn.seed, keys.ctypes.data, streams, redraws, 0, 0, 0
            return
        given = noise.fields.to(torch.float32).contiguous()
        stride_b = given.stride(0) if given.ndim == 4 else 0
        yield drawn.seed, keys.ctypes.data, streams, redraws, given.data_ptr(), given.stride(-3), stride_b
