# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CPU engine, `visionbias._C`."""

from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import torch
from torch import Tensor

from visionbias.errors import BackendError
from visionbias.ops.kernel_memory import KERNEL_DTYPES, kernel_input, kernel_output

LONGEST_SIDE = 2048
Memory = tuple[int, Tensor | None]

_MODULE = "visionbias._C"
_BUILD = "python setup.py build_ext --inplace"
NOT_BUILT = f"{_MODULE} is not built; run: {_BUILD}"

_FACTORS = (2, 3, 5, 7)  # of the sides that the transforms take


@cache
def engine() -> Any:
    """The extension module, or None if it was not built.

    Raises:
        BackendError: it was built, and does not load.
    """
    try:
        return import_module(_MODULE)
    except ModuleNotFoundError as error:
        if error.name == _MODULE:
            return None
        raise _broken(error) from error
    except ImportError as error:
        raise _broken(error) from error


def _broken(error: ImportError) -> BackendError:
    return BackendError(f"{_MODULE} does not load: {error}; build it again: {_BUILD}")


def memory(numbers: Tensor) -> Memory:
    """An address for the engine. The tensor comes along: it must live as long as the call, traced callers or not."""
    assert not numbers.is_neg()
    return numbers.data_ptr(), numbers


def images_in(x: Tensor) -> tuple[Memory, str, tuple[int, ...]]:
    """What the engine is told of images [N, C, H, W], which it reads as u8 or float32."""
    x = kernel_input(x)
    return memory(x), _name(x.dtype), x.stride()


def images_out(out: Tensor) -> tuple[Memory, str, tuple[int, ...], tuple[int, ...]]:
    """What the engine is told of an output [F, N, C, H, W] or [S, F, N, C, H, W]."""
    return memory(out), _name(out.dtype), out.stride()[-4:], out.stride()[:-4]


def stored_as_rows(images: Tensor) -> bool:
    """Whether each row of images [..., C, H, W] lies in memory as W, C without gaps; images and rows may lie apart."""
    c, w = images.shape[-3], images.shape[-1]
    return not images.is_neg() and (c == 1 or images.stride(-3) == 1) and (w == 1 or images.stride(-1) == c)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def refuse_output(dtype: torch.dtype, device: torch.device) -> str | None:
    """Why the engine cannot write such images, in one sentence."""
    if device.type != "cpu":
        return f"x is on {device}, it works on the CPU"
    if dtype not in KERNEL_DTYPES:
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


def engine_output(out: Tensor) -> AbstractContextManager[Tensor]:  # [..., N, C, H, W]
    """`kernel_output` for the engine, which writes rows without gaps, of one channel or of all."""
    return kernel_output(out, direct=out.shape[-1] == 1 or out.stride(-1) == 1 or stored_as_rows(out))
