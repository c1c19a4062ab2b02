# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the ops' tensors lie: which of them a kernel can read and overwrite, and what to say when memory runs out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor
from torch.autograd import forward_ad

from visionbias.errors import BackendError, ShapeError

_RECORDING_MODES = tuple(getattr(torch._C._TorchDispatchModeKey, name) for name in ("PROXY", "FAKE", "FUNCTIONAL"))


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


def no_memory(op: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> BackendError:
    """What to raise when memory runs out on the way to an output."""
    size = prod(shape) * dtype.itemsize / 1e9
    return BackendError(
        f"{op}: no memory on {device} for an output of {shape}, {size:,.1f} GB; pass fewer images at a time"
    )


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


def folded(tensor: Tensor) -> bool:
    """Whether elements may share memory, by the strides: each must step over all that the smaller ones reach."""
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False


def _in_memory(tensor: Tensor) -> bool:
    """Whether the storage has all elements; storages can be resized, and there are zeros without any."""
    if not tensor.data_ptr():
        return False
    end = int(tensor.storage_offset()) * tensor.element_size() + _span(tensor)
    return end <= tensor.untyped_storage().nbytes()


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
