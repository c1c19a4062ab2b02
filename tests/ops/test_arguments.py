# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What every op says of tensors and numbers that none can serve."""

from collections.abc import Callable

import pytest
import torch

import visionbias as vb

IDS = ("a", "b")
OPS: dict[str, Callable[..., torch.Tensor]] = {
    "filter_bank": lambda x, **options: vb.filter_bank(x, vb.lowpass(0.5), **options),
    "normalize": lambda x, mean=(0.5,) * 3, std=(0.5,) * 3, **options: vb.normalize(x, mean, std, **options),
    "critical_band": lambda x, **options: vb.critical_band(x, bands=[6], noise_sds=[0.0], **options),
    "cue_conflict": lambda x, **options: vb.cue_conflict(x, torch.zeros_like(x), **options),
    "random_phase": lambda x, **options: vb.random_phase(x, sample_ids=IDS, **options),
    "phase_noise": lambda x, **options: vb.phase_noise(x, width=9.0, sample_ids=IDS, **options),
    "power_equalize": lambda x, **options: vb.power_equalize(x, torch.zeros(8, 5), **options),
    "patch_shuffle": lambda x, **options: vb.patch_shuffle(x, grid=2, sample_ids=IDS, **options),
    "silhouette": lambda x, **options: vb.silhouette(torch.zeros(2, 1, 8, 8), x, **options),
    "desaturate": lambda x, **options: vb.desaturate(x, **options),
}
LEAD = {"filter_bank": (1,), "critical_band": (1, 1)}


@pytest.fixture(params=OPS)
def op(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_out_in_the_memory_of_x(op: str) -> None:
    buffer = torch.rand(4, 3, 8, 8)
    shape = (*LEAD.get(op, ()), 2, 3, 8, 8)
    for start in (0, 1):
        with pytest.raises(vb.ShapeError, match=f"{op}: out must not lie in the memory of x"):
            OPS[op](buffer[:2], out=buffer[start : start + 2].view(shape))
    OPS[op](buffer[:2], out=buffer[2:].view(shape))  # beside it


def test_out_whose_elements_share_memory(op: str) -> None:
    shape = (*LEAD.get(op, ()), 2, 3, 8, 8)
    for strides in ((192, 64, 8, 0), (192, 64, 4, 1), (100, 64, 8, 1)):
        out = torch.empty(1000).as_strided(shape, (*(384 for _ in LEAD.get(op, ())), *strides))
        with pytest.raises(vb.ShapeError, match=f"{op}: out must have memory of its own for every element"):
            OPS[op](torch.rand(2, 3, 8, 8), out=out)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_numbers_that_are_not_finite(op: str, name: str) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(vb.ShapeError, match=f"{op}: {name} must be finite"):
            OPS[op](torch.rand(2, 3, 8, 8), **{name: [0.5, value, 0.5]})


def test_images_that_are_not_strided(op: str) -> None:
    with pytest.raises(vb.ShapeError, match=rf"{op}: x must be a dense tensor, got torch.sparse_coo; try x.to_dense"):
        OPS[op](torch.rand(2, 3, 8, 8).to_sparse())


@pytest.mark.parametrize("op", ["filter_bank", "normalize", "desaturate"])
def test_more_images_than_memory_can_hold(op: str) -> None:
    x = torch.zeros(1, 3, 1, 1).expand(10**9, 3, 64, 64)
    with pytest.raises(vb.BackendError, match=rf"{op}: no memory on cpu .* 49,152.0 GB; pass fewer images at a time"):
        OPS[op](x)
