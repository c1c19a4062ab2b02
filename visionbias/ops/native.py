# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CPU engine, `visionbias._C`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import torch
from torch import Tensor

from visionbias.ops.tensors import Channels

OUTPUT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
LONGEST_SIDE = 2048
Memory = tuple[int, Tensor | None]

NOT_BUILT = "visionbias._C is not built; run: python setup.py build_ext --inplace"

_FACTORS = (2, 3, 5, 7)  # of the sides that the transforms take


@cache
def engine() -> Any:
    """The extension module, or None if it was not built."""
    try:
        return import_module("visionbias._C")
    except ImportError:
        return None


def memory(numbers: Tensor) -> Memory:
    """An address for the engine. The tensor comes along: it must live as long as the call, traced callers or not."""
    return numbers.data_ptr(), numbers


def images_in(x: Tensor) -> tuple[Memory, str, tuple[int, ...]]:
    """What the engine is told of images [N, C, H, W]."""
    return memory(x), _name(x.dtype), x.stride()


def images_out(out: Tensor) -> tuple[Memory, str, tuple[int, ...], tuple[int, ...]]:
    """What the engine is told of an output [F, N, C, H, W] or [S, F, N, C, H, W]."""
    return memory(out), _name(out.dtype), out.stride()[-4:], out.stride()[:-4]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def scale_and_shift(mean: Channels, std: Channels, white: float = 1.0) -> dict[str, list[float]]:  # [C] each
    """x * scale + shift is (x / white - mean) / std."""
    return {
        "scale": [1.0 / (white * deviation) for deviation in std],
        "shift": [-value / deviation for value, deviation in zip(mean, std, strict=True)],
    }


def refuse_output(dtype: torch.dtype, device: torch.device) -> str | None:
    """Why the engine cannot write such images, in one sentence."""
    if device.type != "cpu":
        return f"x is on {device}, it works on the CPU"
    if dtype not in OUTPUT_DTYPES:
        return f"it does not write {dtype}"
    return None if engine() else NOT_BUILT


def refuse_transform(height: int, width: int) -> str | None:
    """Why the engine's Fourier transforms do not take images of this size, in one sentence."""
    for side in (height, width):
        if side > LONGEST_SIDE:
            return f"side {side} is longer than {LONGEST_SIDE}"
        if prod(_FACTORS) ** side.bit_length() % side:
            return f"side {side} has a prime factor over 7"
    return None


def engine_input(x: Tensor) -> Tensor:
    """Images as the engine reads them: u8 or float32."""
    return x if x.dtype in (torch.uint8, torch.float32) else x.to(torch.float32)


@contextmanager
def engine_output(out: Tensor) -> Iterator[Tensor]:  # [..., N, C, H, W]
    """A tensor that the engine can write, `out` itself where its rows have no gaps; else it is copied to `out`."""
    c, w = out.shape[-3], out.shape[-1]
    if (w == 1 or out.stride(-1) == 1) or ((c == 1 or out.stride(-3) == 1) and (w == 1 or out.stride(-1) == c)):
        yield out
        return
    whole = torch.empty_like(out, memory_format=torch.contiguous_format)
    yield whole
    out.copy_(whole)
