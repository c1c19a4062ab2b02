# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""unit_normals by a CUDA kernel: csrc/cuda/normals, a thread a counter."""

import ctypes

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops import cuda
from visionbias.ops.philox.spec import Spec
from visionbias.runtime import nvrtc
from visionbias.runtime.nvrtc import Program

PROGRAM = Program("normals/normals.cu", threads=256, shared=0)


class Arguments(ctypes.Structure):
    """csrc/cuda/normals/normals.cu."""

    _fields_ = (
        ("keys", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("stream", ctypes.c_uint32),
        ("seed", ctypes.c_uint32 * 2),
        ("counters", ctypes.c_int32),
        ("parts", ctypes.c_int32),
    )


def refuse(spec: Spec) -> str | None:
    """Why the kernel cannot serve a call, in one sentence."""
    return cuda.refuse(torch.float32, spec.device, PROGRAM.shared)


class CudaKernel:
    """See `spec.Kernel`."""

    def __init__(self, spec: Spec, launch: cuda.Launch = nvrtc.launch) -> None:
        self.spec, self.launch = spec, launch

    def run(self, keys: NDArray[np.uint32]) -> Tensor:
        """See `Kernel.run`."""
        s, counters = self.spec, -(-self.spec.n // 4)
        parts = -(-counters // PROGRAM.threads)
        out = torch.empty(len(keys), 4 * counters, dtype=torch.float32, device=s.device)
        if parts * len(keys):
            words = cuda.words_on(keys, s.device)
            seed = (s.seed & 0xFFFFFFFF, s.seed >> 32)
            a = Arguments(words.data_ptr(), out.data_ptr(), s.stream, seed, counters, parts)
            self.launch(PROGRAM, "unit_normals", parts * len(keys), a, s.device)
        return out[:, : s.n]
