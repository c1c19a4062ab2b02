# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What every op that emits a stimulus ends with: clip to [0, 1], normalize, cast, store."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops.memory import check_plain, memory_for, new_output
from visionbias.ops.tensors import Channels, check_images, check_out, check_output_kind, check_pixels, per_channel


@dataclass(frozen=True, slots=True)
class Output:
    """Numbers and dtype of an output, settled and checked."""

    mean: Channels  # [C]
    std: Channels  # [C]
    dtype: torch.dtype
    device: torch.device

    @property
    def compute(self) -> torch.dtype:
        """What the op computes in: float32, or float64 for that output."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32


def prepare_output(
    op: str,
    x: Tensor,  # [N, C, H, W]
    lead: tuple[int, ...],  # axes before N
    mean: Sequence[float] | Tensor | None,  # [C]
    std: Sequence[float] | Tensor | None,  # [C]
    dtype: torch.dtype,
    memory_format: torch.memory_format,
    out: Tensor | None,  # [*lead, N, C, H, W]
    *,
    channels: int | None = None,  # C of the output; default that of x
    name: str = "x",  # of x in the signature of the op
    beside: Mapping[str, Tensor] | None = None,  # other tensors that are read, by name, of checked kind and device
) -> tuple[Output, Tensor]:
    """Check x and the arguments that all such ops share; the output to fill is `out`, or new.

    Raises:
        ShapeError: an argument is of the wrong kind, a value of x is outside [0, 1], `out` lies in the memory of a
            tensor that is read, or one of them wants a gradient, which these ops do not have.
        BackendError: a tracer or a transform would miss the kernel, or there is no memory for the output.
    """
    check_output_kind(op, dtype, memory_format)
    check_images(op, x, name)
    n, c, h, w = x.shape
    c = channels or c
    if out is not None:
        check_out(op, out, (*lead, n, c, h, w), dtype, x.device)
    check_plain(op, {name: x, **(beside or {})}, out)
    output = Output(per_channel(op, "mean", mean, c, 0.0), per_channel(op, "std", std, c, 1.0), dtype, x.device)
    if out is None:
        out = new_output(op, (*lead, n), (c, h, w), x, dtype, memory_format)
    check_pixels(op, name, x)  # last, since it may need as much memory again
    return output, out


@contextmanager
def writing(op: str, out: Tensor) -> Iterator[None]:
    """Around the work that fills an output: nothing is recorded for a gradient.

    Raises:
        BackendError: there is not enough memory for the work.
    """
    with torch.no_grad(), memory_for(op, tuple(out.shape), out.dtype, out.device):
        yield


class Finish:
    """The end of a torch kernel, with mean and standard deviation on their device."""

    def __init__(self, output: Output) -> None:
        c = len(output.mean)
        self.mean, self.std = (
            torch.tensor(values, dtype=output.compute, device=output.device).view(c, 1, 1)
            for values in (output.mean, output.std)
        )
        self.normalizes = any(output.mean) or any(value != 1.0 for value in output.std)

    def store(self, z: Tensor, cast: Tensor, out: Tensor) -> None:
        """Overwrite out [n, C, H, W] with the first n of z; z and `cast`, of z's shape and out's dtype, are scratch."""
        z.clamp_(0.0, 1.0)
        if self.normalizes:
            z.sub_(self.mean).div_(self.std)
        # A cast in place of memory first, then a plain move: twice as fast as a strided cast.
        out.copy_(cast.copy_(z)[: len(out)])


def finish_reference(
    y: NDArray[np.float64],  # [..., C, H, W] in the [0, 1] pixel scale, before the clip
    output: Output,
) -> Tensor:  # float64, on the CPU
    """The same in float64 NumPy: the definition."""
    mean, std = (np.array(values)[:, None, None] for values in (output.mean, output.std))
    return torch.from_numpy((np.clip(y, 0.0, 1.0) - mean) / std)
