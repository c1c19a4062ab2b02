# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix by the CPU engine: csrc/cpu/spectrum_mix.

x [N, C, H, W] u8 or float, any strides -> out [N, C, H, W] f16, bf16 or f32
Sides whose prime factors are 2, 3, 5 and 7. An image stays in the caches from its first pixel to its last; images are
spread over `torch.get_num_threads()` threads.
"""

import torch
from torch import Tensor

from visionbias.ops.kernel_memory import scale_and_shift
from visionbias.ops.native import (
    engine,
    engine_output,
    images_in,
    images_out,
    memory,
    refuse_output,
    refuse_transform,
)
from visionbias.ops.spectrum_mix.reference import rounding
from visionbias.ops.spectrum_mix.spec import Spec
from visionbias.ops.spectrum_mix.torch import antisymmetric


def refuse(spec: Spec) -> str | None:
    """Why the engine cannot serve a call, in one sentence."""
    return refuse_output(spec.output.dtype, spec.output.device) or refuse_transform(spec.height, spec.width)


class NativeKernel:
    """See `spec.Kernel`."""

    def __init__(self, spec: Spec) -> None:
        numbers = scale_and_shift(spec.output.mean, spec.output.std)
        self.mix = engine().SpectrumMix(size=spec.image, **numbers, floor=rounding(spec.height, spec.width))

    def phase_swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap`."""
        self._swap(shape, texture, out[None])

    def phase_swap_both(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap_both`; both directions come from one pair of spectra."""
        self._swap(a, b, out)

    def random_phase(self, x: Tensor, noise: Tensor, out: Tensor) -> None:
        """See `Kernel.random_phase`."""
        with engine_output(out[None]) as y:
            self.mix.random_phase(x=images_in(x), noise=images_in(noise), out=images_out(y), **_work(x))

    def phase_noise(self, x: Tensor, uniforms: Tensor, width: float, out: Tensor) -> None:
        """See `Kernel.phase_noise`."""
        half_turns = (antisymmetric(2.0 * uniforms - 1.0, x.shape[-1]) * (width / 180.0)).contiguous()
        with engine_output(out[None]) as y:
            self.mix.phase_noise(x=images_in(x), half_turns=memory(half_turns), out=images_out(y), **_work(x))

    def power_equalize(self, x: Tensor, amplitude: Tensor, out: Tensor) -> None:
        """See `Kernel.power_equalize`."""
        even = symmetric(amplitude.to(torch.float32), x.shape[-1]).contiguous()
        planes = amplitude.shape[0] if amplitude.ndim == 3 else 1
        with engine_output(out[None]) as y:
            self.mix.power_equalize(
                x=images_in(x), amplitude=memory(even), planes=planes, out=images_out(y), **_work(x)
            )

    def _swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:  # [1 or 2, N, C, H, W]
        with engine_output(out) as y:
            self.mix.phase_swap(
                shape=images_in(shape),
                texture=images_in(texture),
                out=images_out(y),
                directions=len(y),
                **_work(shape),
            )


def _work(x: Tensor) -> dict[str, int]:
    return {"n": len(x), "threads": torch.get_num_threads()}


def symmetric(amplitude: Tensor, width: int) -> Tensor:  # [..., H, W // 2 + 1]
    """The half plane of an even function: the real part of an image is all that its own mirror columns make."""
    even = amplitude.clone()
    opposite = -torch.arange(amplitude.shape[-2], device=amplitude.device) % amplitude.shape[-2]
    for column in (0, width // 2) if width % 2 == 0 else (0,):
        even[..., column] = (amplitude[..., column] + amplitude[..., opposite, column]) / 2.0
    return even
