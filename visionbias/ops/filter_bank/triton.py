# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank on NVIDIA GPUs, by matrix products in the real Fourier basis: triton_kernels.py.

x [N, C, H, W] u8 or float, any strides -> out [F, N, C, H, W] f16, bf16 or f32, any strides
Two launches for every few images. Exact to float32's rounding; or fast, by name only, mostly to 0.1 / 255.
Floating pixels beyond 50 in magnitude can overflow: in the exact mode their channel is then NaN.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from subprocess import SubprocessError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.errors import BackendError
from visionbias.ops.chunks import chunks
from visionbias.ops.filter_bank.bands import Band
from visionbias.ops.filter_bank.fourier import Weights, basis, weights
from visionbias.ops.filter_bank.masks import distinct_masks
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.kernel_memory import KERNEL_DTYPES, kernel_output, refuse_gpu, scale_and_shift, workspace

LONGEST_SIDE = 512  # matrix products grow with the cube of a side, transforms hardly faster than its square

_WORKSPACE = 2**25  # bytes of coefficients at a time: a large GPU keeps them in its cache
_REACH = 2**31  # elements from the first to the last pixel of a channel: the kernels count them in 32 bits
_WHITE = 255.0  # the kernels' pixel scale, in which u8 is exact in float16
_LEVELS = 256.0  # a sum of u8 over a row is divided by it to stay far below float16's largest number
_STEP = 32  # frequencies and pixels at a time, a multiple of what tensor cores take
_LARGEST = 256  # side of the tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """What one program makes."""

    rows: int
    columns: int
    parts: int  # of the columns: finished one after another, in fewer registers
    warps: int

    @property
    def options(self) -> dict[str, int]:
        """What both kernels are compiled with."""
        return {
            "ROWS": self.rows,
            "COLUMNS": self.columns,
            "DEPTH": _STEP,
            "INNER": _STEP,
            "num_warps": self.warps,
            "num_stages": 2,
        }


def choose_tile(height: int) -> Tile:
    """Of one height with the image where there is such, so that strips serve whole columns of it."""
    if height <= 64:
        return Tile(64, 64, 2, 8)
    return Tile(128, 64, 2, 8) if height <= 128 else Tile(256, 64, 4, 8)


def refuse(spec: Spec) -> str | None:
    """Why the kernels cannot serve a call, in one sentence."""
    side = max(spec.height, spec.width)
    if spec.dtype not in KERNEL_DTYPES:
        return f"it does not write {spec.dtype}"
    if side > LONGEST_SIDE:
        return f"side {side} is longer than {LONGEST_SIDE}"
    if spec.device.type not in ("cuda", "cpu"):
        return f"x is on {spec.device}, it works on NVIDIA GPUs"
    if find_spec("triton") is None:
        return "Triton is not installed; run: pip install triton"
    if spec.device.type == "cpu":
        return None if interpreted() else f"x is on {spec.device}, where Triton works under TRITON_INTERPRET=1 only"
    if interpreted():
        return f"x is on {spec.device}, and TRITON_INTERPRET=1 runs the kernels on the CPU; start without it"
    return refuse_gpu(spec.device)


@cache
def kernels() -> Any:
    """The module triton_kernels.

    Raises:
        BackendError: Triton cannot be imported.
    """
    try:
        return import_module("visionbias.ops.filter_bank.triton_kernels")
    except ImportError as error:
        raise BackendError(f"filter_bank: Triton cannot be imported: {error}; try backend='torch'") from error


def interpreted() -> bool:
    """Whether NumPy runs the kernels: TRITON_INTERPRET=1 when Triton compiled its first."""
    return type(kernels().analyze).__name__ == "InterpretedFunction"


class TritonKernel:
    """Bases, weights and tables of a bank, on their device."""

    def __init__(self, spec: Spec, *, exact: bool = True) -> None:
        self.tile = choose_tile(spec.height)
        self.constants = {"EXACT": exact, **self.tile.options}
        self.unit, self.white = (1.0 / _LEVELS, 1.0) if spec.input == torch.uint8 else (1.0, _WHITE)
        masks = [
            (weights(inner, spec.height, spec.width), served)
            for inner, served in distinct_masks(spec.bands, spec.height, spec.width)
        ]
        masks.sort(key=lambda mask: -mask[0].rows * mask[0].columns)  # the longest programs start first
        self.count = len(masks)
        self.kept = _whole(max(w.rows for w, _ in masks), _STEP), _whole(max(w.columns for w, _ in masks), _STEP)
        tables = _tables(masks, spec.bands, self.kept, self.white / self.unit)
        tables |= {name: np.array(v, np.float32) for name, v in scale_and_shift(spec.mean, spec.std, _WHITE).items()}
        self.tables = {name: torch.tensor(table, device=spec.device) for name, table in tables.items()}
        self.bases = [torch.tensor(_halves(basis(side)), device=spec.device) for side in (spec.height, spec.width)]

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`.

        Raises:
            BackendError: there is no memory for the coefficients, or Triton does not compile or launch the kernels.
        """
        x = x.resolve_neg()
        if _reach(x) > _REACH:
            x = x.contiguous()
        if _reach(out) > _REACH or (out.dtype == torch.bfloat16 and interpreted()):  # the interpreter truncates
            whole = torch.empty(out.shape, dtype=torch.float32, device=out.device)
            self.run(x, whole)
            out.copy_(whole)
            return
        coefficients = x.shape[1] * self.kept[0] * self.kept[1]
        images = max(1, _WORKSPACE // max(1, 4 * coefficients))
        z = workspace("filter_bank", (min(images, len(x)), x.shape[1], *self.kept), x.device)
        with kernel_output(out) as y, torch.cuda.device(x.device) if x.is_cuda else nullcontext():
            for rows in chunks(0, len(x), images):
                for kernel, programs, arguments in self.launches(z, x[rows], y[:, rows]):
                    _launch(kernel, programs, arguments)

    def launches(
        self,
        z: Tensor,  # [>= N, C, KH, KW] f32
        x: Tensor,  # [N, C, H, W]
        out: Tensor,  # [F, N, C, H, W]
    ) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Kernels in their order, each with its number of programs and its arguments."""
        (n, c, h, w), (kh, kw), tile = x.shape, self.kept, self.tile
        basis_h, basis_w = self.bases
        shared = {
            **{"x": x, "z": z, "basis_h": basis_h, "basis_w": basis_w},
            **{"channels": c, "height": h, "width": w, "kh": kh, "kw": kw},
            **{f"x_{axis}": stride for axis, stride in zip("nchw", x.stride(), strict=True)},
            **{"low_h": basis_h.stride(0), "low_w": basis_w.stride(0)},
            **{"row_h": basis_h.stride(1), "row_w": basis_w.stride(1)},
            **self.constants,
        }
        if z.numel():
            yield "analyze", n * c * _tiles(kh, tile.rows) * _tiles(kw, tile.columns), {**shared, "unit": self.unit}
        finish = {
            **{"out": out, "white": self.white, "count": self.count, **self.tables},
            **{f"out_{axis}": stride for axis, stride in zip("fnchw", out.stride(), strict=True)},
            **{"MASKED": h < tile.rows or w < tile.columns, "PARTS": tile.parts},
        }
        programs = n * c * self.count * _tiles(h, tile.rows) * _tiles(w, tile.columns)
        yield "synthesize", programs, {**shared, **finish}


def _launch(kernel: str, programs: int, arguments: dict[str, Any]) -> None:
    from triton.runtime.errors import TritonError

    try:
        getattr(kernels(), kernel)[(programs,)](**arguments)
    except torch.OutOfMemoryError:
        raise  # the caller knows what for
    except (TritonError, RuntimeError, OSError, SubprocessError) as error:  # the launcher is built by a C compiler
        raise BackendError(f"filter_bank: Triton does not launch {kernel!r}: {error}; try backend='torch'") from error


def _tables(
    masks: list[tuple[Weights, list[int]]], bands: tuple[Band, ...], kept: tuple[int, ...], unit: float
) -> dict[str, NDArray[Any]]:
    """Arguments of `synthesize`, for coefficients that are in units of 1 / unit."""
    stacked = np.zeros((len(masks), *kept), np.float32)
    rows: list[tuple[int, ...]] = []
    order: list[tuple[int, bool]] = []
    corners: list[tuple[int, int]] = []
    offsets, strengths = [], []
    for m, (mask, served) in enumerate(masks):
        stacked[m, : mask.rows, : mask.columns] = mask.diagonal[: mask.rows, : mask.columns] * unit
        band, corner = len(order), len(corners)
        order += [(f, bands[f].complement) for f in served]
        offsets += [bands[f].offset * _WHITE for f in served]
        corners += [(each.row, each.column) for each in mask.corners]
        strengths += [each.strength * unit for each in mask.corners]
        rows.append((mask.rows, mask.columns, band, len(order), corner, len(corners)))
    return {
        "weights": stacked,
        "masks": np.array(rows, np.int32),
        "bands": np.array(order, np.int32),
        "offsets": np.array(offsets, np.float32),
        "corners": np.array(corners, np.int32),
        "strengths": np.array(strengths, np.float32),
    }


def _halves(waves: NDArray[np.float64]) -> NDArray[np.float16]:
    """[2, pixels, frequencies] high and low, with zeros up to whole tiles."""
    padded = np.zeros([_whole(side, _LARGEST) for side in waves.shape])
    padded[: waves.shape[0], : waves.shape[1]] = waves
    high = padded.astype(np.float16)
    return np.stack([high, (padded - high).astype(np.float16)])


def _tiles(size: int, tile: int) -> int:
    return -(-size // tile)


def _whole(size: int, step: int) -> int:
    return _tiles(size, step) * step


def _reach(images: Tensor) -> int:  # [..., H, W]
    return sum(stride * (size - 1) for stride, size in zip(images.stride()[-2:], images.shape[-2:], strict=True)) + 1
