# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernel of unit_normals, run on the host: the bits of every other backend."""

import pytest
import torch

from visionbias.ops.philox import sample_keys, unit_normals
from visionbias.ops.philox.cuda import CudaKernel
from visionbias.ops.philox.spec import Spec

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [1, 4, 1023, 5000])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_normals_have_the_bits_of_every_backend(launch, n, seed):
    keys = sample_keys("test", ["a", "b", "é"], 3)
    drawn = CudaKernel(Spec(seed, 77, n, CPU), launch).run(keys)
    assert drawn.shape == (3, n)
    for backend in ("auto", "torch", "reference"):
        assert torch.equal(drawn, unit_normals(seed, 77, keys, n, CPU, backend))


def test_no_samples_and_no_normals(launch):
    keys = sample_keys("test", [], 0)
    assert CudaKernel(Spec(0, 1, 8, CPU), launch).run(keys).shape == (0, 8)
    assert CudaKernel(Spec(0, 1, 0, CPU), launch).run(sample_keys("test", ["a"], 1)).shape == (1, 0)
