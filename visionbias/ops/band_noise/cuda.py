# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band by a CUDA kernel: csrc/cuda/band_noise.

x [N, C, H, W] u8 or float, any strides -> out [S, B, N, 3, H, W] f16, bf16 or f32, any strides
A block an image and band, all strengths in one visit; the normals are the bits of every other backend.
"""

import ctypes

import torch
from torch import Tensor

from visionbias.ops import cuda
from visionbias.ops.band_noise.fields import DrawnNoise, Noise
from visionbias.ops.band_noise.pyramid import FINEST, level_count, level_of
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.kernel_memory import kernel_input, kernel_output, scale_and_shift
from visionbias.runtime import nvrtc
from visionbias.runtime.nvrtc import Program

MOST_BANDS, MOST_SDS = FINEST + 1, 16
THREADS = 192
_STRIP_ROWS = 4  # of level 1, at least; where the coarser levels leave room for more, there are


class Arguments(ctypes.Structure):
    """csrc/cuda/band_noise/band_noise.h."""

    _fields_ = (
        ("x", cuda.Images),
        ("y", cuda.Stimuli),
        ("given", ctypes.c_void_p),
        ("given_n", ctypes.c_longlong),
        ("given_b", ctypes.c_longlong),
        ("keys", ctypes.c_void_p),
        ("unit", ctypes.c_void_p),
        ("seed", ctypes.c_uint32 * 2),
        *((name, ctypes.c_int32) for name in ("n", "bands", "sds", "channels", "noisy", "whole")),
        ("contrast", ctypes.c_float),
        ("luminance", ctypes.c_float),
        ("scale", ctypes.c_float * 3),
        ("shift", ctypes.c_float * 3),
        ("levels", ctypes.c_int32 * MOST_BANDS),
        ("streams", ctypes.c_uint32 * MOST_BANDS),
        ("sd", ctypes.c_float * MOST_SDS),
        ("redraws", ctypes.c_uint32 * (MOST_SDS * MOST_BANDS)),
    )


def program(height: int, width: int) -> Program:
    """The kernels for images of one size."""
    sizes = [(height, width)]
    for _ in range(min(level_count(height, width) - 1, MOST_BANDS)):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    levels = [h * w for h, w in sizes[1:]]
    strip = levels[0] + (2 * min(_STRIP_ROWS, sizes[1][0]) + 3) * width if levels else 0
    floats = -(-max(sum(levels), strip) // 4) * 4
    defines = (("VISIONBIAS_HEIGHT", height), ("VISIONBIAS_WIDTH", width))
    return Program("band_noise/band_noise.cu", THREADS, 4 * floats + cuda.SUM_BYTES, defines)


def refuse(spec: Spec) -> str | None:
    """Why the kernel cannot serve a call, in one sentence."""
    if len(spec.noise_sds) > MOST_SDS:
        return f"it takes at most {MOST_SDS} noise_sds at a time, got {len(spec.noise_sds)}"
    return cuda.refuse(spec.output.dtype, spec.output.device, program(spec.height, spec.width).shared)


class CudaKernel:
    """The kernels of one size, and the numbers of bands and strengths."""

    def __init__(self, spec: Spec, launch: cuda.Launch = nvrtc.launch) -> None:
        self.spec, self.launch = spec, launch
        self.program = program(spec.height, spec.width)
        self.levels = [level_of("critical_band", band, spec.height, spec.width) for band in spec.bands]
        self.numbers = scale_and_shift(spec.output.mean, spec.output.std)

    def bands(self, noise: Noise, out: Tensor) -> None:
        """See `Kernel.bands`."""
        whole = out.dtype == torch.float32 and out.is_contiguous()
        unit = out if whole else torch.empty(out.shape, dtype=torch.float32, device=out.device)
        self._launch("band_noise", noise, out.shape[1], unit=unit)
        if unit is not out:
            out.copy_(unit)

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        with kernel_output(out) as y:
            self._launch("critical_band", noise, len(x), x=kernel_input(x), y=y)

    def _launch(
        self,
        kernel: str,
        noise: Noise,
        n: int,
        x: Tensor | None = None,
        y: Tensor | None = None,
        unit: Tensor | None = None,
    ) -> None:
        spec, device = self.spec, self.spec.output.device
        drawn = noise if isinstance(noise, DrawnNoise) else noise.drawn
        keys = cuda.words_on(drawn.keys, device)
        given = None if isinstance(noise, DrawnNoise) else kernel_input(noise.fields).contiguous()
        a = Arguments(
            seed=(drawn.seed & 0xFFFFFFFF, drawn.seed >> 32),
            keys=keys.data_ptr(),
            n=n,
            bands=len(spec.bands),
            sds=len(spec.noise_sds),
            noisy=unit is not None or any(spec.noise_sds),
            contrast=spec.contrast,
            luminance=spec.luminance,
            scale=tuple(self.numbers["scale"]),
            shift=tuple(self.numbers["shift"]),
            levels=tuple(self.levels),
            streams=tuple(drawn.stream(band) for band in spec.bands),
            sd=spec.noise_sds,
            redraws=tuple(drawn.redraw_stream(band, sd) for sd in spec.noise_sds for band in spec.bands),
        )
        if x is not None and y is not None:
            a.x, a.y, a.channels, a.whole = cuda.images_in(x), cuda.images_out(y), x.shape[1], cuda.whole_lines(y)
        if given is not None:
            a.given, a.given_n, a.given_b = (
                given.data_ptr(),
                given.stride(-3),
                given.stride(0) if given.ndim == 4 else 0,
            )
        if unit is not None:
            a.unit = unit.data_ptr()
        self.launch(self.program, kernel, n * len(spec.bands), a, device)
