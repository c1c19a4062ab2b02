# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ops demand of the tensors and per-channel numbers that they are given."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite, nan, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from visionbias.errors import BackendError, ShapeError

Channels = tuple[float, ...]

LUMA = (19595, 38470, 7471)  # of 65536, for R, G, B
FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
IMAGE_DTYPES = (torch.uint8, *FLOAT_DTYPES)
MEMORY_FORMATS = (torch.contiguous_format, torch.channels_last)
# Beyond these a float32 of (x - mean) / std could overflow on the way.
SMALLEST_STD, LARGEST_NUMBER = 1e-12, 1e12

_RECORDING_MODES = tuple(getattr(torch._C._TorchDispatchModeKey, name) for name in ("PROXY", "FAKE", "FUNCTIONAL"))


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


def check_dense(op: str, name: str, tensor: Tensor) -> None:
    """Demand strided memory; only of such a tensor can more be asked.

    Raises:
        ShapeError: it is sparse, nested, or of another library.
    """
    if tensor.layout != torch.strided or tensor.is_nested:
        kind = "a nested tensor" if tensor.is_nested else tensor.layout
        raise ShapeError(f"{op}: {name} must be a dense tensor, got {kind}; try {name}.to_dense()")


def recorder(*tensors: Tensor) -> str | None:
    """What records or transforms operators, here or on these tensors, and would miss a kernel; None if nothing does."""
    if torch._C._is_tracing():
        return "torch.jit.trace"
    if torch._C._functorch.maybe_current_level() is not None:
        return "a transform of torch.func"
    if any(torch._C._get_dispatch_mode(mode) is not None for mode in _RECORDING_MODES):
        return "a tracer such as make_fx"
    foreign = [type(tensor) for tensor in tensors if type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__]
    return f"a {foreign[0].__name__}" if foreign else None


def is_dual(tensor: Tensor) -> bool:
    """Whether it carries a tangent of forward-mode differentiation."""
    return forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def check_plain(op: str, inputs: Mapping[str, Tensor], out: Tensor | None = None) -> None:
    """Demand tensors that a kernel can read, and an `out` that it can overwrite meanwhile.

    Raises:
        ShapeError: one is not dense, has no values in memory, or wants a gradient; or `out` shares memory with another.
        BackendError: a tracer or a transform would miss the kernel.
    """
    given = inputs if out is None else {**inputs, "out": out}
    if found := recorder(*given.values()):
        raise BackendError(f"{op}: wanted a plain call on plain tensors, got {found}, which cannot see into it")
    for name, tensor in given.items():
        check_dense(op, name, tensor)
        if tensor.is_meta:
            raise ShapeError(
                f"{op}: {name} must hold values, got a tensor on {tensor.device}; "
                f"try torch.empty_like({name}, device='cpu')"
            )
        if (tensor.requires_grad and torch.is_grad_enabled()) or is_dual(tensor):
            raise ShapeError(f"{op}: it has no gradient, and {name} requires one; pass {name}.detach()")
        if tensor.numel() and not _in_memory(tensor):
            raise ShapeError(f"{op}: {name} must have memory for each of its elements; try {name}.clone()")
    if out is None:
        return
    if out.is_inference() and not torch.is_inference_mode_enabled():
        raise ShapeError(f"{op}: out was made in inference mode and can be overwritten only there; try out.clone()")
    for name, tensor in inputs.items():
        if _share(out, tensor):
            raise ShapeError(
                f"{op}: out must not lie in the memory of {name}, which is read meanwhile; try torch.empty"
            )


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
    if _folded(out):
        raise ShapeError(
            f"{op}: out must have memory of its own for every element, got strides {out.stride()} such as those of an "
            "expanded tensor; try torch.empty"
        )


def _in_memory(tensor: Tensor) -> bool:
    """Whether the storage has all elements; storages can be resized, and there are zeros without any."""
    if not tensor.data_ptr():
        return False
    end = int(tensor.storage_offset()) * tensor.element_size() + _span(tensor)
    return end <= tensor.untyped_storage().nbytes()


def _folded(tensor: Tensor) -> bool:
    """Whether elements may share memory, by the strides: each must step over all that the smaller ones reach."""
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False


def _share(a: Tensor, b: Tensor) -> bool:
    """Whether the addresses from the first to the last element of two tensors intersect."""
    if not a.numel() or not b.numel():
        return False
    (first, last), (start, stop) = ((t.data_ptr(), t.data_ptr() + _span(t)) for t in (a, b))
    return first < stop and start < last


def _span(tensor: Tensor) -> int:
    """Bytes from the first to the last element."""
    steps = sum(stride * (size - 1) for stride, size in zip(tensor.stride(), tensor.shape, strict=True))
    return (steps + 1) * tensor.element_size()


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


def new_output(
    op: str,
    lead: tuple[int, ...],
    image: tuple[int, int, int],
    x: Tensor,
    dtype: torch.dtype,
    memory_format: torch.memory_format,
) -> Tensor:
    """`empty_images` for the result of an op.

    Raises:
        BackendError: there is not enough memory for it.
    """
    try:
        return empty_images(lead, image, x, dtype, memory_format)
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        raise no_memory(op, (*lead, *image), dtype, x.device) from error


def no_memory(op: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> BackendError:
    """What to raise when memory runs out on the way to an output."""
    size = prod(shape) * dtype.itemsize / 1e9
    return BackendError(
        f"{op}: no memory on {device} for an output of {shape}, {size:,.1f} GB; pass fewer images at a time"
    )


@contextmanager
def memory_for(op: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Around work for images of this kind.

    Raises:
        BackendError: there is not enough memory for it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        on_device = isinstance(error, torch.OutOfMemoryError)
        if isinstance(error, RuntimeError) and not on_device and "DefaultCPUAllocator" not in str(error):
            raise
        raise no_memory(op, shape, dtype, device) from error


def empty_images(
    lead: tuple[int, ...],
    image: tuple[int, int, int],
    x: Tensor,
    dtype: torch.dtype,
    memory_format: torch.memory_format,
) -> Tensor:
    """Uninitialized [*lead, C, H, W] beside x; with channels_last every [..., C, H, W] slice is stored as H, W, C."""
    c, h, w = image
    if memory_format is torch.channels_last:
        return x.new_empty((*lead, h, w, c), dtype=dtype).movedim(-1, -3)
    return x.new_empty((*lead, c, h, w), dtype=dtype)


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
