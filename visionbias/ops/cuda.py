# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ops' CUDA kernels share: which calls are refused, and how tensors are described to csrc/cuda."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops.kernel_memory import KERNEL_DTYPES, refuse_gpu
from visionbias.runtime.nvrtc import NO_CUPY, Program, cupy_installed

SUM_BYTES = 512  # of shared memory, csrc/cuda/block/sum.h

# (program, kernel, blocks, arguments, device): `runtime.nvrtc.launch`, or what runs the same program elsewhere
Launch = Callable[[Program, str, int, ctypes.Structure, torch.device], None]

_TYPES = {torch.uint8: 0, torch.float32: 1, torch.float16: 2, torch.bfloat16: 3}
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
    if dtype not in KERNEL_DTYPES:
        return f"it does not write {dtype}"
    if not cupy_installed():
        return NO_CUPY
    if reason := refuse_gpu(device):
        return reason
    room = limits(device).block_bytes
    if shared > room:
        name = torch.cuda.get_device_name(device)
        return f"a block takes {shared} bytes of shared memory for images of this size, {name} has {room}"
    return None


def limits(device: torch.device) -> Limits:
    """Of a CUDA device."""
    found: Any = torch.cuda.get_device_properties(device)  # torch's types do not know all of them
    return Limits(int(found.shared_memory_per_block_optin), int(found.multi_processor_count))


def words_on(words: NDArray[np.uint32], device: torch.device) -> Tensor:
    """32-bit words as a tensor; torch has no arithmetic on them, and needs none here."""
    return torch.from_numpy(np.ascontiguousarray(words).view(np.int32)).to(device)
