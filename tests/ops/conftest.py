# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Random images for the tests of the ops."""

from collections.abc import Callable, Iterator

import pytest
import torch
from instruction_sets import TARGETS, on_target
from torch import Tensor

MakeImages = Callable[..., Tensor]


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]
        ),
    ]
)
def device(request: pytest.FixtureRequest) -> str:
    """Every device of this machine."""
    return str(request.param)


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of the CPU engine that this machine runs."""
    with on_target(request.param):
        yield request.param


@pytest.fixture
def make_images() -> MakeImages:
    """Fresh images [n, c, h, w]: a different seed at every test run, printed when the test fails."""
    seed = int(torch.seed() % 2**32)
    print(f"images from seed {seed}")
    generator = torch.Generator().manual_seed(seed)

    def make(n: int, c: int, h: int, w: int, dtype: torch.dtype = torch.uint8, layout: str = "contiguous") -> Tensor:
        pad = {"sliced": 3, "stepped": 0}.get(layout, 0)
        step = 2 if layout == "stepped" else 1
        shape = (n, c, h * step + 2 * pad, w * step + 2 * pad)
        values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        images = values if dtype == torch.uint8 else (values.to(torch.float64) / 255.0).to(dtype)
        if layout == "channels_last":
            return images.contiguous(memory_format=torch.channels_last)
        if layout == "interleaved":  # as decoded crops arrive
            return images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        if layout == "transposed":
            return images.transpose(2, 3).contiguous().transpose(2, 3)
        return images[:, :, pad : pad + h * step : step, pad : pad + w * step : step]

    return make
