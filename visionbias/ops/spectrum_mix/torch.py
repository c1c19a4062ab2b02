# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix in torch operators, on any device.

x [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16, f32 or f64, any strides
Two rfft2 and one irfft2 an image; phases are unit phasors F / |F|, never angles. See reference.py for the definitions.
"""

import math

import torch
from torch import Tensor

from visionbias.ops.chunks import fill, images_at_once, padded, pixels
from visionbias.ops.output import Finish
from visionbias.ops.spectrum_mix.reference import FAINTEST, rounding
from visionbias.ops.spectrum_mix.spec import Spec


class TorchKernel:
    """See `spec.Kernel`."""

    def __init__(self, spec: Spec) -> None:
        self.finish, self.compute = Finish(spec.output), spec.output.compute
        self.images = images_at_once(spec.output.device)

    def phase_swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:
        """See `reference.phase_swap`."""

        def make(rows: slice) -> Tensor:
            x = self._pixels(shape[rows])
            own, other = torch.fft.rfft2(x), torch.fft.rfft2(self._pixels(texture[rows]))
            power = _power(own)
            mixed = torch.where(_has_phase(power, x), own * (_power(other) / power).sqrt(), other)
            return _image(mixed, x)

        fill(out, self.finish, make)

    def phase_swap_both(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap_both`."""
        self.phase_swap(a, b, out[0])
        self.phase_swap(b, a, out[1])

    def random_phase(self, x: Tensor, noise: Tensor, out: Tensor) -> None:
        """See `reference.random_phase`."""

        def make(rows: slice) -> Tensor:
            spectrum = torch.fft.rfft2(self._pixels(x[rows]))
            phases = torch.fft.rfft2(self._pixels(noise[rows]))
            power, wanted = _power(phases), _power(spectrum)
            mixed = torch.where(power > 0.0, phases * (wanted / power).sqrt(), wanted.sqrt())
            mixed[..., 0, 0] = spectrum[..., 0, 0]
            return _image(mixed, x)

        fill(out, self.finish, make)

    def phase_noise(self, x: Tensor, uniforms: Tensor, width: float, out: Tensor) -> None:
        """See `reference.phase_noise`."""

        def make(rows: slice) -> Tensor:
            drawn = 2.0 * padded(uniforms[rows], self.images).to(self.compute) - 1.0
            angle = math.radians(width) * antisymmetric(drawn, x.shape[-1])
            turned = torch.fft.rfft2(self._pixels(x[rows])) * torch.complex(angle.cos(), angle.sin())[:, None]
            return _image(turned, x)

        fill(out, self.finish, make)

    def power_equalize(self, x: Tensor, amplitude: Tensor, out: Tensor) -> None:
        """See `reference.power_equalize`."""
        wanted = amplitude.to(self.compute)

        def make(rows: slice) -> Tensor:
            images = self._pixels(x[rows])
            spectrum = torch.fft.rfft2(images)
            power = _power(spectrum)
            mixed = torch.where(
                _has_phase(power, images), spectrum * (wanted / power.sqrt()), wanted.to(spectrum.dtype)
            )
            return _image(mixed, x)

        fill(out, self.finish, make)

    def _pixels(self, x: Tensor) -> Tensor:
        return padded(pixels(x, self.compute), self.images)


def _power(spectrum: Tensor) -> Tensor:
    """|F|^2, without the care for overflow that makes abs() slow."""
    return spectrum.real.square() + spectrum.imag.square()


def _has_phase(power: Tensor, x: Tensor) -> Tensor:
    floor = rounding(*x.shape[-2:]) ** 2 * x.square().sum(dim=(-2, -1), keepdim=True)
    return power > floor.clamp(min=FAINTEST**2)


def _image(spectrum: Tensor, like: Tensor) -> Tensor:
    images: Tensor = torch.fft.irfft2(spectrum, s=like.shape[-2:])
    return images


def antisymmetric(values: Tensor, width: int) -> Tensor:  # [n, H, W // 2 + 1]
    """See `reference.antisymmetric`."""
    odd, height = values.clone(), values.shape[-2]
    half = (height - 1) // 2  # rows whose mirror image is another row
    for column in (0, width // 2) if width % 2 == 0 else (0,):
        odd[:, 0, column] = 0.0
        odd[:, half + 1 : height - half, column] = 0.0
        odd[:, height - half :, column] = -values[:, 1 : half + 1, column].flip(-1)
    return odd
