# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Real Fourier transforms of the libraries that are installed, on a CPU as threaded as torch is."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from visionbias.runtime.nvrtc import torchs_stream


class Transforms(NamedTuple):
    """Of the last two axes."""

    rfft2: Callable[[Tensor], Tensor]  # [..., H, W] -> [..., H, W // 2 + 1]
    irfft2: Callable[[Tensor, torch.Size], Tensor]  # and back to the [H, W] that is given; may overwrite its input


def transforms(device: str) -> dict[str, Transforms]:
    """By name: torch's own, and on the CPU those of the optional libraries."""
    found = {"torch.fft": Transforms(torch.fft.rfft2, lambda z, size: torch.fft.irfft2(z, s=size))}
    if device != "cpu":
        return found | ({"cuFFT by CuPy": _cufft(import_module("cupy"))} if find_spec("cupy") else {})
    found["scipy.fft"] = _like_scipy(import_module("scipy.fft"))
    if find_spec("pyfftw"):
        fftw = import_module("pyfftw")
        fftw.config.PLANNER_EFFORT = "FFTW_MEASURE"
        interfaces = import_module("pyfftw.interfaces")
        interfaces.cache.enable()
        interfaces.cache.set_keepalive_time(600)
        found["pyFFTW"] = _like_scipy(import_module("pyfftw.interfaces.scipy_fft"))
    if find_spec("ducc0"):
        found["ducc0"] = _ducc(import_module("ducc0").fft)
    return found


def _like_scipy(fft: Any) -> Transforms:
    def rfft2(x: Tensor) -> Tensor:
        return torch.from_numpy(fft.rfft2(x.numpy(), workers=torch.get_num_threads()))

    def irfft2(z: Tensor, size: torch.Size) -> Tensor:
        workers = torch.get_num_threads()
        return torch.from_numpy(fft.irfft2(z.numpy(), s=tuple(size), overwrite_x=True, workers=workers))

    return Transforms(rfft2, irfft2)


def _cufft(cupy: Any) -> Transforms:
    """CuPy's plans on torch's memory and stream."""

    def on_torchs_stream(transform: Callable[[Any], Any], x: Tensor) -> Tensor:
        with torchs_stream(cupy, x.device):
            return torch.from_dlpack(transform(cupy.from_dlpack(x)))

    def rfft2(x: Tensor) -> Tensor:
        return on_torchs_stream(cupy.fft.rfft2, x)

    def irfft2(z: Tensor, size: torch.Size) -> Tensor:
        return on_torchs_stream(partial(cupy.fft.irfft2, s=tuple(size)), z)

    return Transforms(rfft2, irfft2)


def _ducc(fft: Any) -> Transforms:
    last = partial(dict, axes=(-2, -1))

    def rfft2(x: Tensor) -> Tensor:
        return torch.from_numpy(fft.r2c(x.numpy(), **last(nthreads=torch.get_num_threads())))

    def irfft2(z: Tensor, size: torch.Size) -> Tensor:
        options = last(lastsize=size[-1], forward=False, inorm=2, allow_overwriting_input=True)
        return torch.from_numpy(fft.c2r(z.numpy(), **options, nthreads=torch.get_num_threads()))

    return Transforms(rfft2, irfft2)
