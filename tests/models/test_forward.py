# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass: one batch size, logits or an error, and a stimulus that stays as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from visionbias.errors import CheckpointError, ShapeError
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.forward import Forward
from visionbias.models.model import DataConfig, Model
from visionbias.models.resolve import resolve_model

CPU = torch.device("cpu")


@pytest.fixture
def model(weights: Callable[..., dict[str, Tensor]], tmp_path: Path) -> Model:
    save_file(weights(), tmp_path / "m.safetensors")
    return resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet"), device=CPU)


def of(call: Callable[[Tensor], Tensor], classes: int = 3) -> Model:
    return Model("mine", classes, DataConfig(), None, "test", call)


def test_logits_do_not_depend_on_the_place_in_the_batch(model: Model) -> None:
    forward = Forward(model, device=CPU, batch=8)
    x = torch.rand(8, 3, 64, 64)
    logits = forward(x)
    assert logits.shape == (8, 16)
    assert logits.dtype == torch.float32
    order = torch.randperm(8)
    assert torch.equal(forward(x[order]), logits[order])
    padded = torch.cat([x[:3], torch.zeros(5, 3, 64, 64)])
    assert torch.equal(forward(padded)[:3], logits[:3])


def test_logits_are_those_of_the_plain_module(model: Model) -> None:
    import timm

    plain = timm.create_model("test_resnet", pretrained=False, num_classes=16).eval()
    assert isinstance(model.call, nn.Module)
    plain.load_state_dict(model.call.state_dict())
    x = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        wanted = plain(x)
    got = Forward(model, device=CPU, batch=4)(x)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes_run_on_a_copy(model: Model, dtype: torch.dtype) -> None:
    x = torch.rand(4, 3, 64, 64)
    exact = Forward(model, device=CPU, batch=4)(x)
    rough = Forward(model, device=CPU, batch=4, dtype=dtype)(x)
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05 * exact.abs().max()
    assert torch.equal(Forward(model, device=CPU, batch=4)(x), exact)


def test_a_callable_gets_float32() -> None:
    seen = []

    def call(x: Tensor) -> Tensor:
        seen.append(x.dtype)
        return x.mean((2, 3))

    Forward(of(call), device=CPU, batch=1, dtype=torch.bfloat16)(torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16))
    assert seen == [torch.float32]


@pytest.mark.parametrize("shape", [(3, 3, 8, 8), (4, 8, 8), (5, 3, 8, 8)])
def test_stimuli_of_another_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"stimulus must be \[4, C, H, W\], got"):
        Forward(of(lambda x: x.mean((2, 3))), device=CPU, batch=4)(torch.zeros(shape))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_model_that_works_in_place_leaves_the_stimulus_alone(layout: torch.memory_format) -> None:
    def greedy(x: Tensor) -> Tensor:
        return x.clamp_(max=0.5).view(len(x), 3, -1).mean(2)

    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=layout)
    before = x.clone()
    Forward(of(greedy), device=CPU, batch=2)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("call", "got"),
    [
        (lambda x: (x.mean((2, 3)), x), "a tuple of 2"),
        (lambda x: {"logits": x.mean((2, 3))}, "a dict with the keys logits"),
        (lambda x: x, r"a \[4, 3, 8, 8\] torch.float32 tensor"),
        (lambda x: x.mean((2, 3))[:3], r"a \[3, 3\] torch.float32 tensor"),
        (lambda x: x.mean((2, 3))[:, :2], r"a \[4, 2\] torch.float32 tensor"),
        (lambda x: x.mean((2, 3)).argmax(1), r"a \[4\] torch.int64 tensor"),
        (lambda x: x.mean((2, 3)).int(), r"a \[4, 3\] torch.int32 tensor"),
        (lambda x: x.mean((2, 3)).numpy(), "a ndarray"),
        (lambda x: None, "a NoneType"),
        (lambda x: x.mean((2, 3)).to("meta"), r"a \[4, 3\] torch.float32 tensor on meta"),
        (lambda x: x.mean((2, 3)).to_sparse(), r"a \[4, 3\] torch.float32 torch.sparse_coo tensor"),
        (lambda x: x.mean((2, 3)).to(torch.float8_e4m3fn), r"a \[4, 3\] torch.float8_e4m3fn tensor"),
    ],
)
def test_what_is_no_logits(call: Callable[[Tensor], Tensor], got: str) -> None:
    with pytest.raises(CheckpointError, match=rf"wanted floating-point logits \[4, 3\].*got {got}"):
        Forward(of(call), device=CPU, batch=4)(torch.zeros(4, 3, 8, 8))


def test_a_failure_names_model_and_shape() -> None:
    with pytest.raises(CheckpointError, match=r"'mine' fails on a \[2, 3, 8, 8\] .*RuntimeError"):
        Forward(of(nn.Conv2d(5, 3, 1).eval()), device=CPU, batch=2)(torch.zeros(2, 3, 8, 8))
