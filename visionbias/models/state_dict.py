# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How a plain state dict comes out of a weight file."""

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError
from visionbias.models.checkpoint import WEIGHT_SUFFIXES

_SHOWN = 8  # keys in an error
_NESTS = ("state_dict", "model", "model_state_dict", "online_backbone", "resnet")
# Wrappers that put their name before every key: DataParallel, LightningModule and others, torch.compile.
_PREFIXES = ("module.", "model.", "_orig_mod.")
# Beside the classifier under "model." the robustness library saves its normalization and a second copy for its attacks.
_COMPANIONS = ("normalizer.", "attacker.")
# Training with two batch norms saves the second, which evaluation does not use, inside the first.
_AUXILIARY = ".aux_bn."
# SimCLRv2's weights, copied from TensorFlow, have numbers for names: net.0 is the stem, net.1 to net.4 are the stages.
_SIMCLRV2_STEM = {"net.0.0.": "conv1.", "net.0.1.0.": "bn1."}
_SIMCLRV2_BLOCK = {
    "net.0.": "conv1.",
    "net.1.0.": "bn1.",
    "net.2.": "conv2.",
    "net.3.0.": "bn2.",
    "net.4.": "conv3.",
    "net.5.0.": "bn3.",
    "projection.shortcut.": "downsample.0.",
    "projection.bn.0.": "downsample.1.",
}


def load_state_dict(path: Path | str, *, unsafe_sha256: str | None = None) -> dict[str, Tensor]:
    """Read a weight file as one flat dict of CPU tensors: without nested dicts, prefixes of wrappers and auxiliary
    batch norms, and with torchvision's names for the layers of a ResNet.

    Raises:
        CheckpointError: the file is absent, damaged, of no known kind, would run code, or holds no state dict.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WEIGHT_SUFFIXES:
        raise CheckpointError(
            f"{path}: wanted a weight file named {', '.join(WEIGHT_SUFFIXES)}, got {suffix or 'no suffix'}; "
            "rename it by what it holds"
        )
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = error.strerror if isinstance(error, OSError) else None
        raise CheckpointError(f"{path}: cannot read the weight file: {reason or error}") from error
    if unsafe_sha256 is not None:
        _require_sha256(path, content, unsafe_sha256)
    try:
        if suffix == ".safetensors":
            loaded: Any = safetensors.torch.load(content)
        else:
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=unsafe_sha256 is None, mmap=False)
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(_why_unreadable(path, content, error)) from error
    try:
        state = _without_prefixes(_flat(path, loaded))
    except RecursionError as error:
        raise CheckpointError(f"{path}: its dict of tensors contains itself; save model.state_dict()") from error
    return _from_simclrv2({key: value for key, value in state.items() if _AUXILIARY not in key})


def with_head(
    backbone: Mapping[str, Tensor],
    head: Mapping[str, Tensor],
    module: nn.Module,
    classifier: str,  # name of the layer of the module that the head is
    source: str,  # names the head's file in errors
) -> dict[str, Tensor]:
    """One state dict from a backbone and a linear classifier of any name.

    Raises:
        CheckpointError: the head is not one weight and one bias.
    """
    found = {key.rpartition(".")[2]: value for key, value in head.items()}
    if set(found) != {"weight", "bias"} or len(head) != len(found):
        raise CheckpointError(
            f"{source}: wanted a classifier of one weight and one bias, got {some_of(list(head))}; "
            "save the linear layer alone"
        )
    parts = {key.partition(".")[0] for key in module.state_dict()}
    kept = {key: value for key, value in backbone.items() if key.partition(".")[0] in parts}
    return kept | {f"{classifier}.{key}": value for key, value in found.items()}


def _require_sha256(path: Path, content: bytes, wanted: str) -> None:
    got = hashlib.sha256(content).hexdigest()
    if got != wanted.lower():
        raise CheckpointError(
            f"{path}: unsafe_sha256 wants {wanted.lower()}, the file has {got}; "
            "it is another file than the one you trust"
        )


def _why_unreadable(path: Path, content: bytes, error: Exception) -> str:
    refused = re.search(r"GLOBAL (\S+)", str(error))
    if refused:
        return (
            f"{path}: the file is a pickle that wants to run {refused[1]}, which weights_only=True refuses; save its "
            "state dict as safetensors, or, if you trust its author, give it as Checkpoint(path, arch=..., "
            "unsafe_sha256=...) with the sha256 they publish"
        )
    text = str(error).split("WeightsUnpickler error:")[-1].strip() or type(error).__name__
    return (
        f"{path}: {len(content)} bytes that are no whole {path.suffix} file ({text.splitlines()[0]}); "
        "it may be cut short or something else under that name: fetch it again"
    )


def _flat(path: Path, content: Any) -> dict[str, Tensor]:
    """The tensors by name, out of the dicts and modules they may be wrapped in."""
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path}: wanted a dict of tensors, got a {type(content).__name__}; save model.state_dict()"
        )
    for nest in _NESTS:
        if isinstance(content.get(nest), (Mapping, nn.Module)):
            return _flat(path, content[nest])
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor) or not isinstance(key, str)]
    if strange or not content:
        found = f"the entries {some_of(strange)}, which are no tensors" if strange else "an empty dict"
        raise CheckpointError(
            f"{path}: wanted a dict of tensors, perhaps under one of the keys {', '.join(map(repr, _NESTS))}, "
            f"got {found}; save model.state_dict()"
        )
    if empty := [key for key, value in content.items() if value.layout != torch.strided or value.is_meta]:
        raise CheckpointError(
            f"{path}: wanted plain tensors, got sparse ones or such without values: {some_of(empty)}; "
            "save model.state_dict() of the model in memory, with to_dense() where a tensor is sparse"
        )
    return dict(content)


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while True:
        if any(key.startswith("model.") for key in state):
            state = {key: value for key, value in state.items() if not key.startswith(_COMPANIONS)}
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in state)), None)
        if prefix is None:
            return state
        state = {key.removeprefix(prefix): value for key, value in state.items()}


def _from_simclrv2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if "net.0.0.weight" not in state or "net.1.blocks.0.net.0.weight" not in state:
        return state
    return {_torchvision_key(key): value for key, value in state.items()}


def _torchvision_key(key: str) -> str:
    block = re.fullmatch(r"net\.(\d)\.blocks\.(\d+)\.(.+)", key)
    if block is None:
        return _renamed(key, _SIMCLRV2_STEM)
    return f"layer{block[1]}.{block[2]}.{_renamed(block[3], _SIMCLRV2_BLOCK)}"


def _renamed(key: str, prefixes: Mapping[str, str]) -> str:
    old = next((prefix for prefix in prefixes if key.startswith(prefix)), None)
    return key if old is None else prefixes[old] + key.removeprefix(old)


def some_of(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
