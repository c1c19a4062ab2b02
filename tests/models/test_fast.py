# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The fast forward pass: the same function in 16 bits and compiled, for any architecture."""

import gc
from weakref import ref

import pytest
import torch
from random_networks import ARCHITECTURES, build
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor.codecache import PyCodeCache

from visionbias.errors import BackendError
from visionbias.models.compiler import Compiler, require_compiler, turned_off
from visionbias.models.fast import (
    fast_dtypes,
    flop_of,
    prefers_channels_last,
    to_channels_last,
    worth_compiling,
)
from visionbias.models.forward import Forward
from visionbias.models.model import DataConfig, Model

CPU = torch.device("cpu")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_any_architecture_runs_in_16_bits(arch: str, dtype: torch.dtype, images: Tensor) -> None:
    model = Model("mine", 5, DataConfig(), None, "test", build(arch))
    exact = Forward(model, device=CPU, batch=4)(images)
    fast = Forward(model, device=CPU, batch=4, dtype=dtype)(images)
    assert 0 < (fast - exact).abs().max() < 0.05 * exact.abs().max()
    assert torch.equal(Forward(model, device=CPU, batch=4)(images), exact)


@pytest.mark.parametrize(
    ("weights", "graphs", "arch"),
    [
        ("inputs", 1, "test_resnet"),
        ("inputs", 1, "test_vit"),
        ("inputs", 1, "test_convnext"),
        ("packed", 2, "test_resnet"),
        ("packed", 2, "test_convnext"),
    ],
)
def test_checkpoints_of_one_architecture_share_a_graph_or_pack_their_weights(
    weights: str, graphs: int, arch: str, images: Tensor
) -> None:
    """Each has its own logits, which do not depend on what else is in the batch or was run in between."""
    models = [Model(f"of {seed}", 5, DataConfig(), None, "test", build(arch, seed), arch) for seed in range(2)]
    compiler = Compiler(torch.device("cuda") if weights == "inputs" else CPU)
    options = {"device": CPU, "batch": 4, "dtype": torch.bfloat16}
    compiled = [Forward(model, compiler=compiler, **options) for model in models]
    before = counters["stats"]["unique_graphs"]
    first = [forward(images) for forward in compiled]
    assert counters["stats"]["unique_graphs"] == before + graphs
    assert not torch.equal(*first)
    for model, forward, logits in zip(models, compiled, first, strict=True):
        plain = Forward(model, **options)(images)
        torch.testing.assert_close(logits, plain, rtol=0, atol=0.03 * float(plain.abs().max()))
        assert torch.equal(forward(images.flip(0)).flip(0), logits)
        assert torch.equal(forward(torch.cat([images[:1], images[1:] * 0]))[0], logits[0])


@torch.inference_mode()
def test_a_compiled_module_that_is_let_go_leaves_no_weights_behind(images: Tensor) -> None:
    module = build("test_resnet").to(torch.bfloat16)
    weights = [ref(weight) for weight in module.parameters()]
    before = list(PyCodeCache.modules)
    call = Compiler(CPU)(module, None)
    call(images.to(torch.bfloat16))
    assert PyCodeCache.modules != before
    del module, call
    gc.collect()
    assert [weight() for weight in weights] == [None] * len(weights)
    assert PyCodeCache.modules == before  # with the packed weights


@torch.inference_mode()
def test_a_graph_that_is_let_go_while_another_is_compiled(images: Tensor) -> None:
    before = list(PyCodeCache.modules)
    going, staying = ([Compiler(CPU)(build("test_resnet"), None)] for _ in range(2))
    going[0](images)
    graph = staying[0]._graph

    def compiled(x: Tensor) -> Tensor:
        going.clear()
        gc.collect()
        return graph(x)

    staying[0]._graph = compiled
    staying[0](images)
    assert len(PyCodeCache.modules) == len(before) + 1
    staying.clear()
    gc.collect()
    assert PyCodeCache.modules == before


@torch.inference_mode()
def test_any_number_of_modules_is_compiled() -> None:
    x, compiler = torch.rand(1, 4), Compiler(CPU)
    modules = [nn.Linear(4, 3) for _ in range(torch._dynamo.config.recompile_limit + 2)]
    before = counters["stats"]["unique_graphs"]
    for module in modules:
        wanted = module(x)
        torch.testing.assert_close(compiler(module, None)(x), wanted)
    assert counters["stats"]["unique_graphs"] == before + len(modules)


def test_what_is_no_single_graph_is_not_compiled() -> None:
    """The code of its parts would be shared with other models, and be compiled for the first few only."""

    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) if float(x.sum()) > 0 else -x.mean((2, 3))

    for weights in (CPU, torch.device("cuda")):
        with torch.inference_mode(), pytest.raises(torch._dynamo.exc.TorchDynamoException):
            Compiler(weights)(Branching(), None)(torch.ones(1, 3, 2, 2))


@pytest.mark.parametrize("name", ["TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"])
def test_a_compiler_that_is_turned_off_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not turned_off()
    monkeypatch.setenv(name, "1")
    assert turned_off()
    monkeypatch.setattr(torch, "compile", lambda function, **how: function)  # as torch does when it starts with it
    with pytest.raises(BackendError, match=r"the environment turns torch.compile off.* let torch.compile use it"):
        require_compiler(CPU)


def test_weights_of_five_dimensions_stay_in_channels_last_modules() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3))
    module.register_buffer("table", torch.zeros(1, 2, 3, 4, 5))
    to_channels_last(module)
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert module.table.is_contiguous()


def test_a_cpu_runs_float32_behind_what_it_multiplies_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    for features, wanted in (({}, [torch.float32]), ({"avx512_bf16": True}, [torch.bfloat16, torch.float32])):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda features=features: features)
        assert list(fast_dtypes(CPU)) == wanted
    assert torch.float32 not in fast_dtypes(torch.device("cuda"))


def test_flop_are_counted() -> None:
    x = torch.zeros(2, 3, 8, 8)
    assert flop_of(nn.Conv2d(3, 5, 1), x) == 2 * 2 * 3 * 5 * 64
    assert flop_of(nn.Sequential(nn.Flatten(), nn.Linear(192, 7)), x) == 2 * 2 * 192 * 7


def test_networks_of_matrix_products_are_not_compiled_on_a_cpu() -> None:
    worth = {arch: worth_compiling(build(arch), CPU) for arch in ("test_resnet", "test_convnext", "test_vit")}
    assert worth == {"test_resnet": True, "test_convnext": True, "test_vit": False}
    assert worth_compiling(build("test_vit"), torch.device("cuda"))


def test_only_what_convolves_images_is_put_in_channels_last() -> None:
    assert prefers_channels_last(build("test_resnet"))
    assert not prefers_channels_last(nn.Linear(3, 3))
    assert not prefers_channels_last(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv3d(3, 3, 1)))
