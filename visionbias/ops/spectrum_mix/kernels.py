# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of backends of spectrum_mix."""

from functools import lru_cache

from torch import Tensor

from visionbias.ops.fastest import fastest
from visionbias.ops.output import finish_reference
from visionbias.ops.spectrum_mix import cuda, reference
from visionbias.ops.spectrum_mix.native import NativeKernel, refuse
from visionbias.ops.spectrum_mix.spec import Kernel, Spec
from visionbias.ops.spectrum_mix.torch import TorchKernel
from visionbias.ops.tensors import float64_pixels
from visionbias.runtime.dispatch import NOT_MEASURED, Impl, Op


class ReferenceKernel:
    """The definitions, brought to tensors."""

    def __init__(self, spec: Spec) -> None:
        self.output = spec.output

    def phase_swap(self, shape: Tensor, texture: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap`."""
        swapped = reference.phase_swap(float64_pixels(shape), float64_pixels(texture))
        out.copy_(finish_reference(swapped, self.output))

    def phase_swap_both(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See `Kernel.phase_swap_both`."""
        self.phase_swap(a, b, out[0])
        self.phase_swap(b, a, out[1])

    def random_phase(self, x: Tensor, noise: Tensor, out: Tensor) -> None:
        """See `Kernel.random_phase`."""
        out.copy_(finish_reference(reference.random_phase(float64_pixels(x), float64_pixels(noise)), self.output))

    def phase_noise(self, x: Tensor, uniforms: Tensor, width: float, out: Tensor) -> None:
        """See `Kernel.phase_noise`."""
        for image, uniform, target in zip(float64_pixels(x), float64_pixels(uniforms), out, strict=True):
            target.copy_(finish_reference(reference.phase_noise(image, uniform, width), self.output))

    def power_equalize(self, x: Tensor, amplitude: Tensor, out: Tensor) -> None:
        """See `Kernel.power_equalize`."""
        equal = reference.power_equalize(float64_pixels(x), float64_pixels(amplitude))
        out.copy_(finish_reference(equal, self.output))


OP: Op[Spec, Kernel] = Op(
    "spectrum_mix",
    {
        "native": Impl(NativeKernel, refuse),
        "torch": Impl(TorchKernel),
        "cuda": Impl(cuda.CudaKernel, cuda.refuse, on_request=True, why=NOT_MEASURED),
        "reference": Impl(ReferenceKernel, on_request=True),
    },
    lambda spec: fastest("spectrum_mix", spec.output.device, spec.height, spec.width),
)


@lru_cache(maxsize=64)
def kernel(spec: Spec, backend: str) -> Kernel:
    """What serves `spec`, prepared at the first call.

    Raises:
        BackendError: no backend, or not the one asked for, serves it.
    """
    return OP.pick(spec, backend)[1].make(spec)
