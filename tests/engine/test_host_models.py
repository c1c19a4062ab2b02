# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The host's memory behind the device's: what has room there is not loaded again. The device is a CPU here too."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
import timm
import torch
from torch import Tensor, nn

import visionbias as vb
import visionbias.engine.calibration
from visionbias.engine.host_models import HostModels, host_bytes
from visionbias.engine.residents import Residents
from visionbias.models.model import Model
from visionbias.models.resolve import resolve_model

Make = Callable[..., vb.Study]
CPU = torch.device("cpu")
SIZE = 10  # bytes that the tests say a model takes


@pytest.fixture
def model(tiny_net: type[nn.Module]) -> Model:
    return resolve_model(("net", tiny_net(1).eval()), device=CPU, crop=32)


def test_there_is_no_second_memory_behind_a_cpu() -> None:
    assert host_bytes(CPU) == 0


def test_what_has_room_stays_and_is_moved(model: Model) -> None:
    host = HostModels(2 * SIZE, torch.device("meta"))
    for name in ("a", "b", "c"):
        host.put(name, model, SIZE)
    assert host.take("c") is None
    waiting = host.take("a")
    assert waiting is not None
    assert isinstance(waiting.call, nn.Module)
    assert {weight.device for weight in waiting.call.parameters()} == {CPU}
    assert host.take("a") is None
    host.put("c", model, SIZE)
    assert host.take("c") is not None
    back = host.brought_back(waiting)
    assert isinstance(back.call, nn.Module)
    assert {weight.device.type for weight in back.call.parameters()} == {"meta"}
    assert back.info.weights_sha256 == model.weights_sha256


@torch.inference_mode()
def test_what_comes_back_in_a_run_is_not_made_in_inference_mode() -> None:
    """Tensors that are made in inference mode, in which models run, can take no part in a gradient."""
    module = timm.create_model("test_resnet", num_classes=3).eval()
    assert all(buffer.is_inference() for buffer in module.buffers())
    with torch.inference_mode(False):
        model = resolve_model(("net", timm.create_model("test_resnet", num_classes=3).eval()), device=CPU, crop=32)
    host = HostModels(SIZE, torch.device("meta"))
    host.put("a", model, SIZE)
    waiting = host.take("a")
    assert waiting is not None
    back = host.brought_back(waiting).call
    assert isinstance(back, nn.Module)
    assert not any(tensor.is_inference() for tensor in (*back.parameters(), *back.buffers()))


def test_a_host_that_runs_out_of_memory_forgets(model: Model) -> None:
    class Large(nn.Identity):
        def to(self, *args: object, **options: object) -> NoReturn:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    host = HostModels(SIZE, CPU)
    host.put("a", replace(model, call=Large()), SIZE)
    assert host.take("a") is None


def test_only_what_is_not_the_users_moves(tiny_net: type[nn.Module]) -> None:
    """Of a module that cannot run as it is, a copy does."""
    moved: list[nn.Module] = []

    class Mine(tiny_net):  # type: ignore[misc, valid-type]
        def to(self, *args: object, **options: object) -> nn.Module:
            moved.append(self)
            return super().to(*args, **options)

    def mean_color(x: Tensor) -> Tensor:
        return x.mean((2, 3))

    ready, training = Mine(1).eval(), Mine(2)
    entries = {"ready": ready, "training": training, "color": mean_color, "last": tiny_net(3)}
    loads: list[str] = []

    def load(entry: tuple[str, nn.Module]) -> Model:
        loads.append(entry[0])
        return resolve_model(entry, device=CPU, crop=32)

    residents = Residents(
        {name: (name, call) for name, call in entries.items()},
        load,
        budget=1,
        host_budget=10**9,
        attacked=False,
        device=CPU,
        batch=1,
        crop=32,
    )
    for _ in range(3):
        for name in entries:
            assert residents.model(name).id == name
    assert loads == list(entries)
    assert residents.model("ready").call is ready
    assert training.training
    assert len(moved) > 1
    assert ready not in moved
    assert training not in moved


def test_nothing_waits_that_no_one_will_ask_for(tiny_net: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 16-bit copies of all have room, the float32 weights are gone."""
    waiting: list[str] = []
    monkeypatch.setattr(HostModels, "put", lambda host, name, model, size: waiting.append(name))
    for budget, expected in ((10**9, []), (1, ["a", "b", "a", "b"])):
        residents = Residents(
            {name: (name, tiny_net(seed)) for seed, name in enumerate("ab")},
            lambda entry: resolve_model(entry, device=CPU, crop=32),
            budget=budget,
            host_budget=10**9,
            attacked=False,
            device=CPU,
            batch=1,
            crop=32,
        )
        for name in "ab":
            residents.model(name)
        for name in "ab":
            residents.forward(name, torch.bfloat16, False)
        assert waiting == expected


def test_a_plan_knows_what_the_host_has_room_for(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [(name, timm.create_model("test_resnet", num_classes=3)) for name in "abcd"]  # training: copies run
    load_models = visionbias.engine.calibration.load_models
    monkeypatch.setattr(
        visionbias.engine.calibration, "load_models", lambda *args: load_models(*args)._replace(seconds=1.0)
    )
    total = 4 * sum(x.numel() * x.element_size() for x in networks[0][1].state_dict().values())

    def load_s(host: int) -> float:
        monkeypatch.setattr(visionbias.engine.calibration, "host_bytes", lambda device: host)
        options = {"precision": "fp32", "probes": [vb.Accuracy()], "model_memory_bytes": total // 4}
        prediction = make_study(models=networks, **options).plan().prediction
        assert prediction is not None
        assert prediction.model_groups == 4
        return prediction.load_s

    assert load_s(0) == pytest.approx(1.75)  # three in four once more
    assert load_s(total // 2) == pytest.approx(1.25)
    assert load_s(total) == pytest.approx(1.0)
