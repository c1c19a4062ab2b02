# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `unit_normals` and its backends, which all give the same bits."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops.native import NOT_BUILT, engine, memory
from visionbias.ops.philox import reference
from visionbias.ops.philox import torch as philox_torch
from visionbias.ops.philox.cuda import CudaKernel
from visionbias.ops.philox.cuda import refuse as refuse_cuda
from visionbias.ops.philox.spec import Kernel, Spec
from visionbias.runtime.dispatch import NOT_MEASURED, Impl, Op


@dataclass(frozen=True)
class NativeKernel:
    """csrc/common/normals.h, by the CPU engine."""

    spec: Spec

    def run(self, keys: NDArray[np.uint32]) -> Tensor:
        """See `Kernel.run`."""
        s = self.spec
        out = torch.empty(len(keys), -(-s.n // 4) * 4, dtype=torch.float32, device=s.device)  # not the default device
        for row, (k0, k1) in zip(out, keys.tolist(), strict=True):
            engine().normals(seed=s.seed, stream=s.stream, key0=k0, key1=k1, counters=len(row) // 4, out=memory(row))
        return out[:, : s.n]


@dataclass(frozen=True)
class TorchKernel:
    """Operators of torch on the device."""

    spec: Spec

    def run(self, keys: NDArray[np.uint32]) -> Tensor:
        """See `Kernel.run`."""
        s = self.spec
        counter = torch.arange(-(-s.n // 4), device=s.device)
        pairs = torch.from_numpy(keys.astype(np.int64)).to(s.device)
        words = philox_torch.words_at(s.seed, s.stream, pairs[:, None], counter)
        return philox_torch.normals(words.flatten(1))[:, : s.n]


@dataclass(frozen=True)
class ReferenceKernel:
    """The definition, brought to tensors."""

    spec: Spec

    def run(self, keys: NDArray[np.uint32]) -> Tensor:
        """See `Kernel.run`."""
        s = self.spec
        words = reference.words(s.seed, s.stream, keys, 0, -(-s.n // 4))
        return torch.from_numpy(reference.normals(words)[:, : s.n]).to(s.device)


def _refuse_native(spec: Spec) -> str | None:
    if spec.device.type != "cpu":
        return f"the normals are wanted on {spec.device}, it works on the CPU"
    return None if engine() else NOT_BUILT


OP: Op[Spec, Kernel] = Op(
    "unit_normals",
    {
        "native": Impl(NativeKernel, _refuse_native),
        "torch": Impl(TorchKernel),
        "cuda": Impl(CudaKernel, refuse_cuda, on_request=True, why=NOT_MEASURED),
        "reference": Impl(ReferenceKernel, on_request=True),
    },
)


def unit_normals(
    seed: int,  # at least 0, below 2^64
    stream: int,  # which sequence, see `streams.stream`
    keys: NDArray[np.uint32],  # [N, 2], see `streams.sample_keys`
    n: int,
    device: torch.device,
    backend: str = "auto",
) -> Tensor:  # [N, n] float32
    """Unit normals that are a function of (seed, stream, key, position): the same bits from every backend.

    Raises:
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    spec = Spec(seed, stream, n, device)
    return OP.pick(spec, backend)[1].make(spec).run(keys)
