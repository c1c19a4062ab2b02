# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Phase swap of pairs of u8 images, normalized: ours, the plain way with angles, and libraries' real transforms."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

import visionbias as vb
from benchmarks.backends import backends
from benchmarks.images import MEAN, STD, constants, crops, images_at_once, poisoned
from benchmarks.registry import Case, benchmark
from benchmarks.transforms import Transforms, transforms
from tests.tolerances import SPECTRUM_MIX, assert_within
from visionbias.ops.output import Output
from visionbias.ops.spectrum_mix.kernels import OP
from visionbias.ops.spectrum_mix.spec import Spec

Fill = Callable[[Tensor, Tensor, Tensor], object]  # shape, texture [N, C, H, W] u8, out [N, C, H, W]


def ours(shape: Tensor, texture: Tensor, out: Tensor, backend: str) -> None:
    """One call."""
    vb.cue_conflict(shape, texture, mean=MEAN, std=STD, dtype=out.dtype, out=out, backend=backend)


def plain(shape: Tensor, texture: Tensor, out: Tensor) -> None:
    """Batched torch.fft with angle, abs and polar."""
    mean, std = constants(out.device)
    phase = torch.fft.fft2(shape.float() / 255.0).angle()
    amplitude = torch.fft.fft2(texture.float() / 255.0).abs()
    mixed = torch.fft.ifft2(torch.polar(amplitude, phase)).real
    out.copy_((mixed.clamp(0.0, 1.0) - mean) / std)


def phasors(shape: Tensor, texture: Tensor, out: Tensor, library: Transforms) -> None:
    """What a library of real transforms allows: no angles, half planes only."""
    mean, std = constants(out.device)
    own, other = (library.rfft2(x.float().div_(255.0).contiguous()) for x in (shape, texture))
    mixed = library.irfft2(own * (other.abs() / own.abs()), shape.shape[-2:])
    out.copy_(mixed.clamp_(0.0, 1.0).sub_(mean).div_(std))


def cases(device: str, size: int = 224, n: int | None = None) -> Iterator[Case]:
    """One case: 16-bit output as models take it."""
    n, dtype = n or images_at_once(device), torch.bfloat16
    spec = Spec(size, size, torch.uint8, Output(MEAN, STD, dtype, torch.device(device)))
    fills: dict[str, Fill] = {name: partial(ours, backend=name) for name in backends(OP, spec)}
    fills["peer: torch.fft"] = plain
    for name, library in transforms(device).items():
        fills[f"peer: {name}, real and without angles"] = partial(phasors, library=library)
    shape, texture = (crops(n, size).to(device) for _ in range(2))
    out = poisoned((n,), size, dtype, device)

    def check(name: str) -> float:
        pair = [crops(2, size) for _ in range(2)]
        y = poisoned((2,), size, dtype, device)
        fills[name](*(images.to(device) for images in pair), y)
        wanted = vb.cue_conflict(*pair, mean=MEAN, std=STD, dtype=torch.float64, backend="reference")
        assert_within(y, wanted, SPECTRUM_MIX[dtype], 1 / min(STD))
        return float((y.cpu().double() - wanted).abs().max())

    yield Case(
        op="spectrum_mix",
        shape=f"phase swap of 2 x {[*shape.shape]} u8 in, channels_last",
        dtype=str(dtype).removeprefix("torch."),
        unit="stimuli",
        work=n,
        bytes_moved=shape.nbytes + texture.nbytes + out.nbytes,
        contenders={name: partial(fill, shape, texture, out) for name, fill in fills.items()},
        check=check,
        side=size,
    )


benchmark("spectrum_mix")(cases)
