# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What every op says of tensors and numbers that none can serve."""

import subprocess
import sys
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
NAMES = {"cue_conflict": "shape", "silhouette": "texture"}  # of x in the signature


@pytest.fixture(params=OPS)
def op(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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


@pytest.mark.parametrize("name", ["mean", "std"])
def test_numbers_that_no_float_holds(op: str, name: str) -> None:
    with pytest.raises(vb.ShapeError, match=f"{op}: {name} must be one number a channel"):
        OPS[op](torch.rand(2, 3, 8, 8), **{name: [10**400] * 3})


def test_images_that_are_not_strided(op: str) -> None:
    name = NAMES.get(op, "x")
    with pytest.raises(
        vb.ShapeError, match=f"{op}: {name} must be a dense tensor, got torch.sparse_coo; try {name}.to"
    ):
        OPS[op](torch.rand(2, 3, 8, 8).to_sparse())


@pytest.mark.parametrize("name", ["mean", "std"])
@pytest.mark.parametrize("value", [1e-39, 1e13, -1e13, 1e39])
def test_numbers_that_float32_cannot_compute_with(op: str, name: str, value: float) -> None:
    if name == "mean" and value == 1e-39:
        OPS[op](torch.rand(2, 3, 8, 8), mean=[value] * 3)
        return
    wanted = "std must be positive" if name == "std" and value < 0 else f"{name} must be in "
    with pytest.raises(vb.ShapeError, match=f"{op}: {wanted}"):
        OPS[op](torch.rand(2, 3, 8, 8), dtype=torch.float64, **{name: [0.5, value, 0.5]})


@pytest.mark.parametrize(
    "numbers", [{"std": [1e-12] * 3}, {"mean": [1e12] * 3, "std": [1e12] * 3}, {"mean": [1e12] * 3}]
)
def test_the_most_extreme_numbers_are_right_on_every_backend(op: str, numbers: dict[str, list[float]]) -> None:
    x = torch.rand(2, 3, 8, 8)
    wanted = OPS[op](x, backend="reference", dtype=torch.float64, **numbers)
    y = OPS[op](x, **numbers)
    assert y.isfinite().all()
    torch.testing.assert_close(y.double(), wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("name", ["mean", "std"])
def test_gradients_of_numbers_are_refused(op: str, name: str) -> None:
    with pytest.raises(vb.ShapeError, match=f"{op}: there is no gradient in {name}, and it requires one"):
        OPS[op](torch.rand(2, 3, 8, 8), **{name: torch.full((3,), 0.5, requires_grad=True)})


def test_numbers_without_values(op: str) -> None:
    with pytest.raises(vb.ShapeError, match=f"{op}: mean must be one number a channel"):
        OPS[op](torch.rand(2, 3, 8, 8), mean=torch.zeros(3, device="meta"))


@pytest.mark.parametrize("op", ["filter_bank", "normalize", "desaturate"])
def test_more_images_than_memory_can_hold(op: str) -> None:
    x = torch.zeros(1, 3, 1, 1).expand(10**9, 3, 64, 64)
    with pytest.raises(vb.BackendError, match=rf"{op}: no memory on cpu .* 49,152.0 GB; pass fewer images at a time"):
        OPS[op](x)


@pytest.mark.parametrize("dtype", [torch.float8_e5m2, torch.complex64], ids=str)
def test_fields_of_kinds_that_no_kernel_reads(dtype):
    x = torch.rand(1, 3, 32, 32)
    for call, name in (
        (lambda: vb.band_noise(torch.zeros(1, 32, 32, dtype=dtype), bands=[6]), "noise"),
        (lambda: vb.critical_band(x, bands=[6], noise=torch.zeros(1, 32, 32, dtype=dtype)), "noise"),
        (lambda: vb.power_equalize(x, torch.zeros(32, 17, dtype=dtype)), "amplitude"),
    ):
        with pytest.raises(vb.ShapeError, match=name):
            call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_definition_reads_negative_views(dtype):
    x = torch.rand(1, 3, 8, 8, dtype=dtype)
    wanted = vb.filter_bank(x, vb.lowpass(0.4), backend="reference")
    assert torch.equal(vb.filter_bank(torch._neg_view(-x), vb.lowpass(0.4), backend="reference"), wanted)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize(
    "call",
    [
        "vb.filter_bank(torch.zeros(1, 3, 1, 1).expand(1, 3, 200000, 200000), vb.lowpass(0.1))",
        "vb.mean_amplitude(torch.zeros(1, 1, 1, 1).expand(1, 1, 40000, 40000))",
    ],
)
def test_memory_that_is_needed_before_the_output(call):
    """In a process of its own, that may have 8 GiB."""
    script = f"""
import resource, torch, visionbias as vb
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    {call}
except vb.BackendError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert "no memory on cpu" in answer.stdout, answer.stderr
