# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""From what a study names as a model to a model on its device."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from visionbias.errors import CheckpointError
from visionbias.models import study, timm, torchvision
from visionbias.models.checkpoint import WEIGHT_SUFFIXES, Checkpoint
from visionbias.models.fast import prefers_channels_last, to_channels_last
from visionbias.models.forward import copied
from visionbias.models.model import DataConfig, Model
from visionbias.models.state_dict import load_state_dict, with_head
from visionbias.models.trial import tried
from visionbias.models.weights import fill, require_finite, weights_sha256
from visionbias.types import Normalization, Preprocessing

ModelEntry = str | Checkpoint | tuple[str, Callable[[Tensor], Tensor]]

_FAMILIES = {"timm": timm, "torchvision": torchvision}
_FAMILIES_WANTED = "'timm:...' or 'torchvision:...'"
_STUDY = "study"
_WANTED = "'timm:<name>', 'torchvision:<name>', 'study:<name>', Checkpoint(path, arch=...), or (id, module or callable)"


def model_id(entry: ModelEntry | Any) -> str:
    """The id of a model in records and tables, without loading anything.

    Raises:
        CheckpointError: the entry is of no known kind.
    """
    if isinstance(entry, str):
        family, colon, name = entry.partition(":")
        if colon and family in (*_FAMILIES, _STUDY) and name:
            return entry
        is_file = entry.endswith(WEIGHT_SUFFIXES)
        fix = f"Checkpoint({entry!r}, arch=...)" if is_file else f"'timm:{entry.rpartition(':')[2]}'"
        raise CheckpointError(f"models: wanted {_WANTED}; got {entry!r}; try {fix}")
    if isinstance(entry, Checkpoint):
        return entry.id
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str) and callable(entry[1]):
        if entry[0].strip():
            return entry[0]
        raise CheckpointError(f"models: the id of a {type(entry[1]).__name__} must not be empty; try ('mine', module)")
    if callable(entry):
        raise CheckpointError(
            f"models: wanted {_WANTED}; got a {type(entry).__name__} without an id; try ('mine', module)"
        )
    raise CheckpointError(f"models: wanted {_WANTED}; got {entry!r}")


def source_of(entry: ModelEntry | Any) -> str:
    """Where a model comes from, for manifests, without loading anything."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, Checkpoint):
        family, _, arch = entry.arch.rpartition(":")
        # Without its folder: a run goes on where the file has moved, its sha256 tells whether it is the same.
        return f"{Path(entry.path).name} as {family or 'timm'}:{arch}"
    call = entry[1]
    kind = "module" if isinstance(call, nn.Module) else "callable"
    return f"{kind} {type(call).__module__}.{type(call).__qualname__}"


def expanded(entries: Sequence[ModelEntry | Any]) -> tuple[ModelEntry | Any, ...]:
    """The entries, with all models of the study that match in place of a pattern such as `"study:robust_*"`.

    Raises:
        CheckpointError: no model of the study matches.
    """
    wanted: list[ModelEntry | Any] = []
    for entry in entries:
        if not isinstance(entry, str) or not entry.startswith(f"{_STUDY}:") or not any(c in entry for c in "*?["):
            wanted.append(entry)
            continue
        found = study.matching(entry.partition(":")[2])
        if not found:
            raise CheckpointError(f"models: no model of the study matches {entry!r}; try 'study:*' or 'study:robust_*'")
        wanted += [f"{_STUDY}:{name}" for name in found]
    return tuple(wanted)


def model_ids(entries: Sequence[ModelEntry | Any]) -> tuple[str, ...]:
    """The ids of several models, in order.

    Raises:
        CheckpointError: an entry is of no known kind, or two have the same id.
    """
    ids = tuple(model_id(entry) for entry in entries)
    # Ids name folders, and some file systems do not tell "a" from "A".
    folded = [name.casefold() for name in ids]
    twice = sorted({name for name in ids if folded.count(name.casefold()) > 1})
    if twice:
        raise CheckpointError(
            f"models: wanted a different id for each, got {', '.join(map(repr, twice))}; "
            "name them: Checkpoint(..., name='other') or ('other', module)"
        )
    return ids


def resolve_model(
    entry: ModelEntry | Any,
    *,
    device: torch.device,
    offline: bool = False,
    crop: int | None = None,
    batch: int = 1,
) -> Model:
    """Load one model, check its weights, and put it on the device in evaluation mode.

    A module that is yours is never changed: if it is in training mode, elsewhere, or not float32, a copy is used.

    Args:
        entry: `"timm:<name>"`, `"torchvision:<name>"`, `"study:<name>"` (of the CVPR 2024 study), a `Checkpoint`, or
            `(id, nn.Module or callable)`. A callable takes float32 [N, 3, H, W] normalized with ImageNet's statistics
            and returns logits [N, K]. So does a module, but if it carries timm's data configuration, the statistics are
            those.
        device: where it shall run.
        offline: open no socket.
        crop: side in pixels of the noise that a module or callable is tried on; by default its own crop.
        batch: how many images of it, for callables that take one batch size only.

    Raises:
        CheckpointError: the model or its weights cannot be had, do not fit, are not finite, give no logits or
            features, or logits of an image that depend on the rest of its batch or on chance.
        NoMemoryError: there is no memory for the noise.
    """
    name = model_id(entry)
    if isinstance(entry, Checkpoint):
        return _from_checkpoint(entry, device)
    if isinstance(entry, str):
        return _published(entry, device, offline)
    return _given(name, entry[1], device, crop, batch)


def architecture_of(entry: ModelEntry | Any) -> str | None:
    """Family, architecture and tag of an entry, as "timm:resnet50.a1_in1k"; `None` for a module or callable."""
    if isinstance(entry, str):
        family, _, arch = entry.partition(":")
        return study.architecture(arch) if family == _STUDY else entry
    if isinstance(entry, Checkpoint):
        family, _, arch = entry.arch.rpartition(":")
        return f"{family or 'timm'}:{arch}"
    return None


def normalization_of(entry: ModelEntry | Any) -> Normalization | None:
    """The normalization that an entry names; `None` where its architecture or module tells."""
    if isinstance(entry, Checkpoint):
        return entry.normalization
    family, _, name = entry.partition(":") if isinstance(entry, str) else ("", "", "")
    return study.normalization(name) if family == _STUDY else None


def untrained(entry: ModelEntry | Any, *, device: torch.device, crop: int | None = None, batch: int = 1) -> Model:
    """What `resolve_model` gives, but with random weights where it would have to read them.

    Raises:
        CheckpointError: there is no such architecture, or a module or callable gives no logits.
    """
    name = architecture_of(entry)
    if name is None:
        return resolve_model(entry, device=device, crop=crop, batch=batch)
    family, _, arch = name.partition(":")
    if family not in _FAMILIES:
        raise CheckpointError(f"model {model_id(entry)!r}: {name!r} names no known family; wanted {_FAMILIES_WANTED}")
    classes = entry.num_classes if isinstance(entry, Checkpoint) else None
    model = _zoo_model(model_id(entry), _FAMILIES[family].build(arch, classes), family, arch, device, source=name)
    return _with_normalization(model, normalization_of(entry))


def _published(name: str, device: torch.device, offline: bool) -> Model:
    family, _, arch = name.partition(":")
    if family == _STUDY:
        model = resolve_model(study.fetch(arch, offline=offline), device=device, offline=offline)
        if model.weights_sha256 is not None:
            study.require_first_weights(arch, model.weights_sha256)
        return replace(model, id=name, source=source_of(name))
    zoo = _FAMILIES[family]
    module = zoo.build_pretrained(arch, offline=offline)
    return _zoo_model(name, module, family, arch, device, source=name)


def _from_checkpoint(checkpoint: Checkpoint, device: torch.device) -> Model:
    family, _, arch = checkpoint.arch.rpartition(":")
    zoo = _FAMILIES.get(family or "timm")
    if zoo is None:
        raise CheckpointError(
            f"{checkpoint.path}: arch={checkpoint.arch!r} names no known family; wanted {_FAMILIES_WANTED}"
        )
    state = load_state_dict(checkpoint.path, unsafe_sha256=checkpoint.unsafe_sha256)
    module = zoo.build(arch, checkpoint.num_classes)
    if checkpoint.head is not None:
        classifier = load_state_dict(checkpoint.head)
        state = with_head(state, classifier, module, zoo.classifier(module), str(checkpoint.head))
    head = state.get(f"{zoo.classifier(module)}.weight")
    if head is not None and head.dim() > 0 and len(head) != zoo.num_classes(module):
        if checkpoint.num_classes is not None:
            raise CheckpointError(
                f"{checkpoint.path}: wanted num_classes={checkpoint.num_classes}, its classifier "
                f"'{zoo.classifier(module)}.weight' has {len(head)} rows; "
                "leave num_classes out to take what the file has"
            )
        module = zoo.build(arch, len(head))
    fill(module, state, str(checkpoint.path), arch)
    model = _zoo_model(checkpoint.id, module, family or "timm", arch, device, source=source_of(checkpoint))
    return _with_normalization(model, checkpoint.normalization)


def _with_normalization(model: Model, normalization: Normalization | None) -> Model:
    if normalization is None:
        return model
    return replace(model, data_config=replace(model.data_config, normalization=normalization))


def _zoo_model(name: str, module: nn.Module, family: str, arch: str, device: torch.device, source: str) -> Model:
    """A model whose module nobody else holds, so that it may be changed in place."""
    require_finite(module, source)
    channels_last = prefers_channels_last(module)
    if channels_last:
        module = to_channels_last(module)
    return Model(
        id=name,
        call=module.eval().requires_grad_(False).to(device),  # gradients are those of images
        num_classes=_FAMILIES[family].num_classes(module),
        data_config=torchvision.data_config(arch) if family == "torchvision" else timm.data_config(module),
        weights_sha256=weights_sha256(module),
        source=source,
        architecture=f"{family}:{arch.partition('.')[0]}",
        channels_last=channels_last,
        keeps_input=True,
    )


def _given(name: str, call: Callable[[Tensor], Tensor], device: torch.device, crop: int | None, batch: int) -> Model:
    config = DataConfig()
    if isinstance(call, nn.Module):
        call = _ready(name, call, device)
        if isinstance(getattr(call, "pretrained_cfg", None), dict):
            config = timm.data_config(call)
    if crop is None:
        crop = config.rule.crop if isinstance(config.rule, Preprocessing) else Preprocessing().crop
    sha256 = None
    if isinstance(call, nn.Module):
        require_finite(call, f"model {name!r}")
        sha256 = weights_sha256(call)
    num_classes = tried(name, call, device, crop, batch)
    return Model(name, num_classes, config, sha256, source_of((name, call)), call)


def _ready(name: str, module: nn.Module, device: torch.device) -> nn.Module:
    """The module itself if it can run as it is, else a copy on the device, in float32 and evaluation mode."""
    place = torch.empty(0, device=device).device  # "cuda" -> "cuda:0"
    named = [*module.named_parameters(), *module.named_buffers()]
    if empty := [key for key, tensor in named if is_lazy(tensor) or tensor.is_meta]:
        raise CheckpointError(
            f"model {name!r}: {len(empty)} of its tensors hold no values, such as {empty[0]}; load its weights, and "
            "call lazy layers once"
        )
    tensors = [tensor for _, tensor in named]
    fits = all(t.device == place and (t.dtype == torch.float32 or not t.is_floating_point()) for t in tensors)
    if fits and not any(layer.training for layer in module.modules()):
        return module
    return copied(module, name).to(device=device, dtype=torch.float32).eval()
