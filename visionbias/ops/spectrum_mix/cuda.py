# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix by a CUDA kernel: csrc/cuda/spectrum_mix.

x [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16 or f32, any strides
Even sides whose prime factors are 2, 3, 5 and 7. A channel of an image is transformed in place in a block's shared
memory, in panels where that is too small for it.
"""

import ctypes
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops import cuda
from visionbias.ops.kernel_memory import kernel_input, kernel_output, scale_and_shift, workspace
from visionbias.ops.native import refuse_transform
from visionbias.ops.spectrum_mix.native import symmetric
from visionbias.ops.spectrum_mix.reference import rounding
from visionbias.ops.spectrum_mix.spec import Spec
from visionbias.ops.spectrum_mix.torch import antisymmetric
from visionbias.runtime import nvrtc
from visionbias.runtime.nvrtc import Program

LARGEST_RADIX = 16
MOST_PANELS = 8
_COMPLEX = 8  # bytes


class Arguments(ctypes.Structure):
    """csrc/cuda/spectrum_mix/spectrum_mix.h."""

    _fields_ = (
        ("x", cuda.Images),
        ("other", cuda.Images),
        ("y", cuda.Stimuli),
        ("given", ctypes.c_void_p),
        ("given_n", ctypes.c_longlong),
        ("given_c", ctypes.c_longlong),
        ("row_turns", ctypes.c_void_p),
        ("column_turns", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
        ("workspace", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("shift", ctypes.c_void_p),
        ("planes", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("floor", ctypes.c_float),
        ("factor", ctypes.c_float),
    )


@cache
def radices(n: int) -> tuple[int, ...]:
    """The fewest factors up to `LARGEST_RADIX` that make a length, the largest of them as small as can be."""
    if n <= LARGEST_RADIX:
        return (n,)
    first = (r for r in range(LARGEST_RADIX, 1, -1) if n % r == 0)
    return min(((r, *radices(n // r)) for r in first), key=lambda factors: (len(factors), max(factors)))


def frequencies(n: int) -> NDArray[np.int64]:  # [n]
    """Which frequency a transform in place leaves at each place: the digits of the place, reversed."""
    return np.arange(n).reshape(radices(n)[::-1]).transpose().ravel()


def column_pairs(width: int) -> NDArray[np.int32]:  # [W / 2, 3]
    """For each column of the half plane where its even and odd rows lie, and its kx; 0 stands for W / 2 too."""
    order = frequencies(width)
    places = np.argsort(order)
    even = np.flatnonzero(order < width // 2)
    kx = order[even]
    odd = places[np.where(kx == 0, width // 2, (width - kx) % width)]
    return np.stack([even, odd, kx], axis=1).astype(np.int32)


def turns(n: int) -> NDArray[np.float32]:  # [n, 2]
    """cos and sin of -2 pi m / n."""
    angle = -2.0 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def program(method: str, height: int, width: int, panels: int) -> Program:
    """The kernel of one method and image size."""
    defines = (
        ("VISIONBIAS_METHOD", method),
        ("VISIONBIAS_ROW_RADICES", ",".join(map(str, radices(width)))),
        ("VISIONBIAS_COLUMN_RADICES", ",".join(map(str, radices(height)))),
        ("VISIONBIAS_PANELS", panels),
    )
    threads = 512 if height * width >= 128 * 128 else 128
    return Program("spectrum_mix/spectrum_mix.cu", threads, shared_bytes(height, width, panels), defines)


def shared_bytes(height: int, width: int, panels: int) -> int:
    """What a block takes for a panel of rows, or of columns."""
    rows = -(-(height // 2) // panels) * (width + 1)
    columns = height // 2 * 2 * -(-(width // 2) // panels) if panels > 1 else 0
    return _COMPLEX * max(rows, columns) + cuda.SUM_BYTES


def fewest_panels(height: int, width: int, room: int) -> int:
    """How many panels it takes with `room` bytes a block; `MOST_PANELS` may still be too few."""
    fitting = (p for p in range(1, MOST_PANELS) if shared_bytes(height, width, p) <= room)
    return next(fitting, MOST_PANELS)


def refuse(spec: Spec) -> str | None:
    """Why the kernel cannot serve a call, in one sentence."""
    for side in (spec.height, spec.width):
        if side % 2:
            return f"side {side} is odd, its transforms take rows and frequencies in pairs"
    if reason := refuse_transform(spec.height, spec.width):
        return reason
    return cuda.refuse(spec.output.dtype, spec.output.device, shared_bytes(spec.height, spec.width, MOST_PANELS))


class CudaKernel:
    """See `spec.Kernel`."""

    def __init__(self, spec: Spec, launch: cuda.Launch = nvrtc.launch, limits: cuda.Limits | None = None) -> None:
        device = spec.output.device
        self.spec, self.launch = spec, launch
        self.limits = limits or cuda.limits(device)
        self.panels = fewest_panels(spec.height, spec.width, self.limits.block_bytes)
        self.columns = torch.from_numpy(column_pairs(spec.width)).to(device)
        self.row_turns, self.column_turns = (
            torch.from_numpy(turns(side)).to(device) for side in (spec.width, spec.height)
        )
        numbers = scale_and_shift(spec.output.mean, spec.output.std)
        self.scale, self.shift = (
            torch.tensor(numbers[name], dtype=torch.float32, device=device) for name in ("scale", "shift")
        )

    def phase_swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap`."""
        self._mix("PhaseSwap", shape, out[None], other=texture)

    def phase_swap_both(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap_both`; both directions come from one pair of spectra."""
        self._mix("PhaseSwapBoth", a, out, other=b)

    def random_phase(self, x: Tensor, noise: Tensor, out: Tensor) -> None:
        """See `Kernel.random_phase`."""
        self._mix("RandomPhase", x, out[None], other=noise)

    def phase_noise(self, x: Tensor, uniforms: Tensor, width: float, out: Tensor) -> None:
        """See `Kernel.phase_noise`."""
        half_turns = antisymmetric(2.0 * uniforms - 1.0, x.shape[-1]) * (width / 180.0)
        self._mix("PhaseNoise", x, out[None], given=half_turns[:, None])

    def power_equalize(self, x: Tensor, amplitude: Tensor, out: Tensor) -> None:
        """See `Kernel.power_equalize`."""
        even = symmetric(amplitude.to(torch.float32), x.shape[-1])
        self._mix("PowerEqualize", x, out[None], given=even.view(1, -1, *even.shape[-2:]))

    def _mix(
        self,
        method: str,
        x: Tensor,
        out: Tensor,  # [F, N, C, H, W]
        other: Tensor | None = None,
        given: Tensor | None = None,  # [N or 1, C or 1, H, W // 2 + 1]
    ) -> None:
        n, channels, h, w = x.shape
        planes, white = n * channels, 255.0 if x.dtype == torch.uint8 and method != "PowerEqualize" else 1.0
        if not planes:
            return
        chosen = program(method, h, w, self.panels)
        blocks = min(planes, self.limits.multiprocessors * (512 // chosen.threads))
        x = kernel_input(x)
        spaces = (other is not None) + (self.panels > 1)
        memory = workspace("spectrum_mix", (blocks * spaces * h * w,), x.device)
        a = Arguments(
            x=cuda.images_in(x),
            row_turns=self.row_turns.data_ptr(),
            column_turns=self.column_turns.data_ptr(),
            columns=self.columns.data_ptr(),
            workspace=memory.data_ptr(),
            scale=self.scale.data_ptr(),
            shift=self.shift.data_ptr(),
            planes=planes,
            channels=channels,
            floor=rounding(h, w) ** 2,
            factor=1.0 / (h * w * white),
        )
        if other is not None:
            other = kernel_input(other)
            a.other = cuda.images_in(other)
        if given is not None:
            given = kernel_input(given).contiguous()
            a.given = given.data_ptr()
            a.given_n, a.given_c = (given.stride(i) if given.shape[i] > 1 else 0 for i in (0, 1))
        with kernel_output(out) as y:
            a.y = cuda.images_out(y[None])
            self.launch(chosen, "spectrum_mix", blocks, a, self.spec.output.device)
