# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What all kernels share, on whatever device: the tensors that they read and write, and the numbers of an output."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from visionbias.errors import BackendError
from visionbias.ops.tensors import Channels

KERNEL_DTYPES = (torch.float32, torch.float16, torch.bfloat16)  # that kernels write
OLDEST = (8, 0)  # compute capability: bfloat16, asynchronous copies, and shared memory above 48 KB


def kernel_input(x: Tensor) -> Tensor:
    """Images as kernels read them: u8 or float32, of any strides."""
    x = x.resolve_neg()
    return x if x.dtype in (torch.uint8, torch.float32) else x.to(torch.float32)


@contextmanager
def kernel_output(out: Tensor, *, direct: bool = True) -> Iterator[Tensor]:
    """A tensor that a kernel can overwrite: `out` itself if it is no negated view and `direct`, else copied to it.

    Autograd learns of the change.
    """
    whole = out if direct and not out.is_neg() else torch.empty_like(out, memory_format=torch.contiguous_format)
    yield whole
    if whole is not out:
        out.copy_(whole)
    elif not out.is_inference():
        increment_version(out)


def workspace(op: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Uninitialized float32 memory for one call.

    Raises:
        BackendError: the device does not have it.
    """
    try:
        return torch.empty(shape, dtype=torch.float32, device=device)
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        raise BackendError(
            f"{op}: no memory on {device} for a workspace of {4 * prod(shape) / 1e6:,.0f} MB; try backend='torch'"
        ) from error


def scale_and_shift(mean: Channels, std: Channels, white: float = 1.0) -> dict[str, list[float]]:  # [C] each
    """x * scale + shift is (x / white - mean) / std."""
    return {
        "scale": [1.0 / (white * deviation) for deviation in std],
        "shift": [-value / deviation for value, deviation in zip(mean, std, strict=True)],
    }


def refuse_gpu(device: torch.device) -> str | None:
    """Why no kernel runs on a CUDA device, in one sentence."""
    if torch.version.hip is not None:
        return "this torch is built for ROCm, it works on CUDA devices"
    found = torch.cuda.get_device_properties(device)
    if (found.major, found.minor) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return f"{found.name} has compute capability {found.major}.{found.minor}, it wants {wanted} or newer"
    return None
