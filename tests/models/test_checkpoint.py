# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Weight files: every wrapping gives the same model, every fault its own sentence."""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from visionbias.errors import CheckpointError
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.forward import Forward
from visionbias.models.resolve import resolve_model
from visionbias.models.state_dict import load_state_dict

Weights = Callable[..., dict[str, Tensor]]
CPU = torch.device("cpu")


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


def robustness_library(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        **prefixed(state, "module.model."),
        **prefixed({key: value + 1 for key, value in state.items()}, "module.attacker.model."),
        "module.normalizer.new_mean": torch.zeros(3, 1, 1),
    }


WRAPPINGS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "flat": lambda s: s,
    "module.": lambda s: prefixed(s, "module."),
    "model.": lambda s: prefixed(s, "model."),
    "module.model.": lambda s: prefixed(s, "module.model."),
    "module.module.": lambda s: prefixed(s, "module.module."),
    "_orig_mod.": lambda s: prefixed(s, "_orig_mod."),
    "state_dict": lambda s: {"state_dict": prefixed(s, "module."), "epoch": 3, "optimizer": {"lr": 0.1}},
    "model": lambda s: {"model": s, "epoch": 3},
    "model and state_dict": lambda s: {"model": {"state_dict": prefixed(s, "model.")}},
    "robustness library": lambda s: {"model": robustness_library(s)},
    "no batch counters": lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_is_the_same_model(weights: Weights, tmp_path: Path, wrapping: str) -> None:
    state = weights()
    save_file(state, tmp_path / "plain.safetensors")
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "wrapped.pt")
    plain = resolve_model(Checkpoint(tmp_path / "plain.safetensors", arch="test_resnet"), device=CPU)
    wrapped = resolve_model(Checkpoint(tmp_path / "wrapped.pt", arch="timm:test_resnet"), device=CPU)
    assert (plain.id, wrapped.id) == ("plain", "wrapped")
    assert plain.num_classes == wrapped.num_classes == 16
    assert plain.weights_sha256 == wrapped.weights_sha256 is not None
    x = torch.rand(2, 3, 64, 64)
    logits = [Forward(model, device=CPU, batch=2)(x) for model in (plain, wrapped)]
    assert torch.equal(*logits)


@pytest.mark.parametrize("suffix", [".PT", ".pth", ".pth.tar", ".bin", ".ckpt"])
def test_pytorch_files_by_any_name(tmp_path: Path, suffix: str) -> None:
    torch.save({"w": torch.arange(3)}, tmp_path / f"m{suffix}")
    torch.save({"w": torch.arange(3)}, tmp_path / f"old{suffix}", _use_new_zipfile_serialization=False)
    for name in ("m", "old"):
        assert torch.equal(load_state_dict(tmp_path / f"{name}{suffix}")["w"], torch.arange(3))


def test_fingerprint_tells_weights_apart(weights: Weights, tmp_path: Path) -> None:
    state = weights()
    save_file(state, tmp_path / "a.safetensors")
    state["fc.bias"][3] += 1e-6
    save_file(state, tmp_path / "b.safetensors")
    models = [resolve_model(Checkpoint(tmp_path / f"{n}.safetensors", arch="test_resnet"), device=CPU) for n in "ab"]
    assert models[0].weights_sha256 != models[1].weights_sha256


@pytest.mark.parametrize("given", [None, 16])
@pytest.mark.parametrize("arch", ["test_vit", "torchvision:squeezenet1_1", "torchvision:mobilenet_v3_small"])
def test_other_architectures_and_class_counts(weights: Weights, tmp_path: Path, arch: str, given: int | None) -> None:
    if arch.startswith("torchvision:"):
        import torchvision

        state = torchvision.models.get_model(arch.partition(":")[2], weights=None, num_classes=16).state_dict()
    else:
        state = weights(arch=arch)
    save_file(state, tmp_path / "m.safetensors")
    model = resolve_model(Checkpoint(tmp_path / "m.safetensors", arch=arch, num_classes=given), device=CPU)
    assert model.num_classes == 16
    size = model.preprocessing.crop
    assert Forward(model, device=CPU, batch=1)(torch.rand(1, 3, size, size)).shape == (1, 16)


def test_wrong_number_of_classes(weights: Weights, tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"wanted num_classes=10, its classifier 'fc.weight' has 16 rows"):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet", num_classes=10), device=CPU)


def test_keys_and_shapes_that_do_not_fit_are_listed(weights: Weights, tmp_path: Path) -> None:
    state = weights()
    del state["conv1.0.weight"]
    state["head.extra"] = torch.zeros(2)
    state["bn1.weight"] = torch.zeros(5)
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError) as caught:
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet"), device=CPU)
    text = str(caught.value)
    assert "1 missing: conv1.0.weight" in text
    assert "1 unexpected: head.extra" in text
    assert "1 of another shape: bn1.weight (the file has [5]" in text


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.bool, torch.complex64])
def test_weights_of_another_kind_of_number(weights: Weights, tmp_path: Path, dtype: torch.dtype) -> None:
    state = weights()
    save_file(state | {"fc.bias": state["fc.bias"].to(dtype)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=rf"1 of another kind of number: fc.bias \(the file has {dtype}, "):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet"), device=CPU)


def test_long_lists_of_keys_are_cut(weights: Weights, tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(16, 8)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"\d+ missing: (\S+, ){7}\S+ and \d+ more"):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet"), device=CPU)


@pytest.mark.parametrize("key", ["fc.weight", "bn1.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(weights: Weights, tmp_path: Path, key: str, value: float) -> None:
    state = weights()
    state[key].view(-1)[:2] = value
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=rf"2 of the \d+ values of '{key}' are NaN or infinite"):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnet"), device=CPU)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", ["empty", "garbage", "html", "truncated", "cut tail"])
def test_damaged_files(weights: Weights, tmp_path: Path, suffix: str, content: str) -> None:
    path = tmp_path / f"m{suffix}"
    save_file(weights(), path) if suffix == ".safetensors" else torch.save(weights(), path)
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "garbage": bytes(range(256)) * 50,
        "html": b"<!DOCTYPE html><html>404</html>",
        "truncated": whole[: len(whole) // 2],
        "cut tail": whole[:-20],
    }[content]
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=rf"{len(damaged)} bytes that are no whole {suffix} file"):
        load_state_dict(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "m.onnx").touch()
    with pytest.raises(CheckpointError, match="cannot read the weight file: No such file"):
        load_state_dict(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="cannot read the weight file"):
        load_state_dict(tmp_path / "folder.pt")
    with pytest.raises(CheckpointError, match=r"named \.safetensors, \.pt, .*got \.onnx"):
        load_state_dict(tmp_path / "m.onnx")


class Touch:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_pickle_is_not_run(weights: Weights, tmp_path: Path) -> None:
    torch.save({"state_dict": weights(), "extra": Touch(tmp_path / "proof")}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"wants to run \S+, which weights_only=True refuses"):
        load_state_dict(tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="it is another file than the one you trust"):
        load_state_dict(tmp_path / "m.pt", unsafe_sha256="0" * 64)
    assert not (tmp_path / "proof").exists()


def test_unsafe_load_needs_the_sha256(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"state_dict": weights(), "args": argparse.Namespace(lr=1)}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest().upper()
    assert load_state_dict(path, unsafe_sha256=sha256).keys() == weights().keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "wanted a dict of tensors, got a list"),
        ({}, "got an empty dict"),
        ({"w": torch.eye(3).to_sparse(), "b": torch.zeros(1)}, "wanted plain tensors, got sparse ones .*: w;"),
        ({"w": torch.eye(3, device="meta"), "b": torch.zeros(1)}, "wanted plain tensors, got .* without values: w;"),
        ({"epoch": 3, "net": {"w": torch.zeros(1)}}, "got the entries epoch, net, which are no tensors"),
    ],
)
def test_files_without_a_state_dict(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=message):
        load_state_dict(tmp_path / "m.pt")


def test_a_whole_module_is_read_if_trusted(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(2, 3)}, tmp_path / "m.pt")
    sha256 = hashlib.sha256((tmp_path / "m.pt").read_bytes()).hexdigest()
    assert set(load_state_dict(tmp_path / "m.pt", unsafe_sha256=sha256)) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": ""}, "arch must be a name"),
        ({"arch": "resnet18", "name": ""}, "name must be a name, got ''"),
        ({"arch": "resnet18", "name": 5}, "name must be a name, got 5"),
        ({"arch": "resnet18", "head": 5}, "head must be a path, got 5"),
        ({"arch": "resnet18", "normalization": ((0.0,), (1.0,))}, "normalization must be a visionbias.Normalization"),
        ({"arch": "resnet18", "num_classes": 1}, "num_classes must be a whole number of at least 2"),
        ({"arch": "resnet18", "unsafe_sha256": "yes"}, "64 hexadecimal digits"),
    ],
)
def test_arguments_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Checkpoint("m.pt", **options)  # type: ignore[arg-type]


def test_ids_of_files() -> None:
    assert Checkpoint("a/run.7.pth.tar", arch="resnet18").id == "run.7"
    assert Checkpoint("a/b.safetensors", arch="resnet18", name="mine").id == "mine"
