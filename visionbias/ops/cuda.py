# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ops' CUDA kernels share: which calls are refused, and how tensors are described to csrc/cuda."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import increment_version

from visionbias.errors import BackendError
from visionbias.runtime.nvrtc import NO_CUPY, Program, cupy_installed

OLDEST = (8, 0)  # compute capability: bfloat16 conversion, and shared memory above 48 KB
SUM_BYTES = 512  # of shared memory, csrc/cuda/block/sum.h

# (program, kernel, blocks, arguments, device): `runtime.nvrtc.launch`, or what runs the same program elsewhere
Launch = Callable[[Program, str, int, ctypes.Structure, torch.device], None]

_TYPES = {torch.uint8: 0, torch.float32: 1, torch.float16: 2, torch.bfloat16: 3}
_WRITTEN = (torch.float32, torch.float16, torch.bfloat16)
_LINE = 16  # bytes that a thread stores at once


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan depends on."""

    block_bytes: int  # of shared memory that a block can have
    multiprocessors: int


class Images(ctypes.Structure):
    """csrc/cuda/images/images.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        *((axis, ctypes.c_longlong) for axis in "nchw"),
        ("type", ctypes.c_int32),
        ("padding", ctypes.c_int32),
    )


class Stimuli(ctypes.Structure):
    """csrc/cuda/images/images.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        *((axis, ctypes.c_longlong) for axis in "sfnchw"),
        ("type", ctypes.c_int32),
        ("padding", ctypes.c_int32),
    )


def images_in(x: Tensor) -> Images:
    """What a kernel is told of images [N, C, H, W], u8 or float32."""
    return Images(x.data_ptr(), *x.stride(), _TYPES[x.dtype], 0)


def images_out(out: Tensor) -> Stimuli:
    """What a kernel is told of an output [S, F, N, C, H, W]."""
    return Stimuli(out.data_ptr(), *out.stride(), _TYPES[out.dtype], 0)


def whole_lines(out: Tensor) -> bool:  # [S, F, N, C, H, W]
    """Whether images have no gaps and each, or each of its channels, starts at a multiple of 16 bytes."""
    c, _, w = out.shape[-3:]
    strides = out.stride()
    interleaved = strides[-3:] == (1, w * c, c)
    if not interleaved and strides[-2:] != (w, 1):
        return False
    starts = (out.data_ptr(), *(out.element_size() * stride for stride in strides[: 3 if interleaved else 4]))
    return all(start % _LINE == 0 for start in starts)


def refuse(dtype: torch.dtype, device: torch.device, shared: int) -> str | None:
    """Why no kernel with this output and `shared` bytes a block can run, in one sentence."""
    if device.type != "cuda":
        return f"x is on {device}, it works on CUDA devices"
    if dtype not in _WRITTEN:
        return f"it does not write {dtype}"
    if torch.version.hip is not None:
        return "this torch is built for ROCm, it works on CUDA devices"
    if not cupy_installed():
        return NO_CUPY
    found = torch.cuda.get_device_properties(device)
    if (found.major, found.minor) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return f"{found.name} has compute capability {found.major}.{found.minor}, it wants {wanted} or newer"
    room = limits(device).block_bytes
    if shared > room:
        return f"a block takes {shared} bytes of shared memory for images of this size, {found.name} has {room}"
    return None


def limits(device: torch.device) -> Limits:
    """Of a CUDA device."""
    found: Any = torch.cuda.get_device_properties(device)  # torch's types do not know all of them
    return Limits(int(found.shared_memory_per_block_optin), int(found.multi_processor_count))


def kernel_input(x: Tensor) -> Tensor:
    """Images as the kernels read them: u8 or float32, of any strides."""
    x = x.resolve_neg()
    return x if x.dtype in (torch.uint8, torch.float32) else x.to(torch.float32)


@contextmanager
def kernel_output(out: Tensor) -> Iterator[Tensor]:
    """A tensor that a kernel can overwrite, `out` itself unless it is a negated view; autograd learns of the change."""
    whole = torch.empty_like(out, memory_format=torch.contiguous_format) if out.is_neg() else out
    yield whole
    if whole is not out:
        out.copy_(whole)
    elif not out.is_inference():
        increment_version(out)


def words_on(words: NDArray[np.uint32], device: torch.device) -> Tensor:
    """32-bit words as a tensor; torch has no arithmetic on them, and needs none here."""
    return torch.from_numpy(np.ascontiguousarray(words).view(np.int32)).to(device)


def workspace(op: str, numbers: int, device: torch.device) -> Tensor:
    """Uninitialized float32 memory for one call.

    Raises:
        BackendError: the device does not have it.
    """
    try:
        return torch.empty(numbers, dtype=torch.float32, device=device)
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        raise BackendError(
            f"{op}: no memory on {device} for a workspace of {4 * numbers / 1e6:,.0f} MB; try backend='torch'"
        ) from error
