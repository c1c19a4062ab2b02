# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ops demand of the tensors and per-channel numbers that they are given."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.memory import check_dense, folded, memory_for

Channels = tuple[float, ...]

LUMA = (19595, 38470, 7471)  # of 65536, for R, G, B
FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
IMAGE_DTYPES = (torch.uint8, *FLOAT_DTYPES)
MEMORY_FORMATS = (torch.contiguous_format, torch.channels_last)
# Beyond these a float32 of (x - mean) / std could overflow on the way.
SMALLEST_STD, LARGEST_NUMBER = 1e-12, 1e12


def check_images(op: str, x: Tensor, name: str = "x") -> None:
    """Demand images [N, C, H, W], u8 or floating, of strided memory.

    Raises:
        ShapeError: they are not.
    """
    if not isinstance(x, Tensor):
        raise ShapeError(
            f"{op}: {name} must be a torch.Tensor [N, C, H, W], got {type(x).__name__}; try torch.from_numpy"
        )
    check_dense(op, name, x)
    shape = tuple(x.shape)
    if x.ndim != 4:
        hint = f"; try {name}[None]" if x.ndim == 3 else ""
        raise ShapeError(f"{op}: {name} must be [N, C, H, W], got {shape}{hint}")
    if min(shape[1:]) < 1:
        raise ShapeError(f"{op}: {name} must be [N, C, H, W] with at least one channel and pixel, got {shape}")
    if x.dtype not in IMAGE_DTYPES:
        raise ShapeError(f"{op}: {name} must be uint8 or floating, got {_short(x.dtype)}; try {name}.to(torch.uint8)")


def check_pixels(op: str, name: str, x: Tensor) -> None:
    """Demand floating images in [0, 1]; u8 images are.

    Raises:
        ShapeError: a value is outside, or NaN.
        BackendError: there is not enough memory to look.
    """
    if not x.is_floating_point() or not x.numel():
        return
    with memory_for(op, tuple(x.shape), x.dtype, x.device):
        low, high = (end.item() for end in x.detach().aminmax())
    if not (low >= 0.0 and high <= 1.0):  # NaN is neither
        raise ShapeError(
            f"{op}: {name} must be in [0, 1] where it is floating, got values from {low:.4g} to {high:.4g}; "
            f"try {name} / 255 or {name}.clamp(0, 1)"
        )


def check_output_kind(op: str, dtype: torch.dtype, memory_format: torch.memory_format) -> None:
    """Demand a floating dtype and a memory format of images.

    Raises:
        ShapeError: either is something else.
    """
    if dtype not in FLOAT_DTYPES:
        names = ", ".join(map(_short, FLOAT_DTYPES))
        raise ShapeError(f"{op}: dtype must be one of {names}, got {_short(dtype)}")
    if memory_format not in MEMORY_FORMATS:
        raise ShapeError(f"{op}: memory_format must be contiguous_format or channels_last, got {memory_format}")


def check_out(op: str, out: Tensor, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
    """Demand a buffer that can be overwritten with the result.

    Raises:
        ShapeError: it is of another shape, dtype or device, or its elements share memory.
    """
    if not isinstance(out, Tensor):
        raise ShapeError(f"{op}: out must be a torch.Tensor {shape}, got {type(out).__name__}; try torch.empty")
    check_dense(op, "out", out)
    if tuple(out.shape) != shape:
        raise ShapeError(f"{op}: out must be {shape}, got {tuple(out.shape)}")
    if out.dtype != dtype:
        raise ShapeError(f"{op}: out must be {_short(dtype)}, got {_short(out.dtype)}; pass dtype=out.dtype")
    if out.device != device:
        raise ShapeError(f"{op}: out must be on {device} as x is, got {out.device}")
    if folded(out):
        raise ShapeError(
            f"{op}: out must have memory of its own for every element, got strides {out.stride()} such as those of an "
            "expanded tensor; try torch.empty"
        )


def per_channel(op: str, name: str, values: Sequence[float] | Tensor | None, channels: int, default: float) -> Channels:
    """One number a channel; `default` everywhere if there are none.

    Raises:
        ShapeError: there are not as many numbers as channels, one is not finite, a standard deviation is not positive,
            float32 could not compute with one, or a gradient is wanted of them.
    """
    if values is None:
        return (default,) * channels
    if isinstance(values, Tensor) and values.requires_grad and torch.is_grad_enabled():
        raise ShapeError(f"{op}: there is no gradient in {name}, and it requires one; pass {name}.detach()")
    try:
        numbers = tuple(float(value) for value in (values.tolist() if isinstance(values, Tensor) else values))
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: a tensor without values
        raise ShapeError(f"{op}: {name} must be one number a channel of x, got {values!r}; try [0.5] * C") from None
    if len(numbers) != channels:
        raise ShapeError(f"{op}: {name} must have one value a channel of x, C={channels}, got {len(numbers)}")
    if not all(map(isfinite, numbers)):
        raise ShapeError(f"{op}: {name} must be finite, got {numbers}")
    if name == "std" and not min(numbers) > 0.0:
        raise ShapeError(f"{op}: std must be positive, got {numbers}")
    if max(map(abs, numbers)) > LARGEST_NUMBER or (name == "std" and min(numbers) < SMALLEST_STD):
        low = SMALLEST_STD if name == "std" else -LARGEST_NUMBER
        raise ShapeError(f"{op}: {name} must be in [{low:g}, {LARGEST_NUMBER:g}], got {numbers}; pixels are in [0, 1]")
    return numbers


def number_between(op: str, name: str, value: Any, low: float, high: float) -> float:
    """The value as a float.

    Raises:
        ShapeError: it is no number, or outside [low, high].
    """
    try:
        number = nan if isinstance(value, (str, bool)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = nan
    if not low <= number <= high:
        raise ShapeError(f"{op}: {name} must be a number in [{low:g}, {high:g}], got {value!r}")
    return number


def float64_pixels(x: Tensor) -> NDArray[np.float64]:
    """Images as the definitions take them: on the host, u8 divided by 255."""
    pixels: NDArray[np.float64] = x.detach().resolve_neg().to("cpu", torch.float64).numpy()
    return pixels / 255.0 if x.dtype == torch.uint8 else pixels


def luma(images: Tensor) -> Tensor:  # [N, C, H, W] -> [N, 1, H, W]
    """Grey of floating RGB images by ITU-R 601's weights, as Pillow has them; of others their first channel."""
    if images.shape[1] != 3:
        return images[:, :1]
    red, green, blue = (weight / 65536 for weight in LUMA)
    return red * images[:, :1] + green * images[:, 1:2] + blue * images[:, 2:]


def same_images(op: str, name: str, images: Tensor, like: Tensor) -> None:
    """Demand images of the shape, dtype and device of others.

    Raises:
        ShapeError: they are not.
    """
    if isinstance(images, Tensor):
        check_dense(op, name, images)
    got = (tuple(images.shape), images.dtype, images.device) if isinstance(images, Tensor) else None
    if got != (tuple(like.shape), like.dtype, like.device):
        found = type(images).__name__ if got is None else f"{_short(got[1])} {got[0]} on {got[2]}"
        raise ShapeError(f"{op}: {name} must be {_short(like.dtype)} {tuple(like.shape)} on {like.device}, got {found}")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
