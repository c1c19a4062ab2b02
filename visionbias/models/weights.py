# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights of a module: filling them from a state dict, checking that they are numbers, and their fingerprint."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError
from visionbias.models.state_dict import some_of


def fill(
    module: nn.Module,
    state: Mapping[str, Tensor],
    source: str,  # names the file in errors
    arch: str,
) -> None:
    """Copy a state dict into a module; every key and shape must fit, and floating-point numbers be given as such.

    Raises:
        CheckpointError: keys are missing or unexpected, or shapes or kinds of numbers differ; all these are listed.
    """
    own = module.state_dict()
    misshapen = {
        key: f"{key} (the file has {list(value.shape)}, {arch} has {list(own[key].shape)})"
        for key, value in state.items()
        if key in own and own[key].shape != value.shape
    }
    integral = {  # or complex, of which torch would drop a part
        key: f"{key} (the file has {value.dtype}, {arch} has {own[key].dtype})"
        for key, value in state.items()
        if key in own and own[key].is_floating_point() and not value.is_floating_point()
    }
    misfits = {**misshapen, **integral}
    # Not strict: torch itself knows which absent keys are harmless (num_batches_tracked of old files).
    outcome = module.load_state_dict({k: v for k, v in state.items() if k not in misfits}, strict=False)
    problems = [
        f"{len(names)} {what}: {some_of(names)}"
        for what, names in (
            ("missing", [key for key in outcome.missing_keys if key not in misfits]),
            ("unexpected", list(outcome.unexpected_keys)),
            ("of another shape", list(misshapen.values())),
            ("of another kind of number", list(integral.values())),
        )
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{source}: wanted the {len(own)} keys of {arch!r}, got {len(state)} keys, of these {'; '.join(problems)}. "
            "Check arch= and num_classes=, and save weights as floating-point numbers"
        )


def require_finite(module: nn.Module, source: str) -> None:
    """Check that no weight and no running statistic is NaN or infinite. Other buffers may be infinite, as masks are.

    Raises:
        CheckpointError: one is; the first is named.
    """
    learned = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    for name, tensor in module.state_dict().items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            continue
        strict = name in learned or name.endswith(("running_mean", "running_var"))
        wrong = ~torch.isfinite(tensor) if strict else torch.isnan(tensor)
        if wrong.any():
            raise CheckpointError(
                f"{source}: {int(wrong.sum())} of the {tensor.numel()} values of {name!r} are NaN or infinite; "
                "the training diverged or the file is damaged: take an earlier checkpoint"
            )


def weights_sha256(module: nn.Module) -> str | None:
    """sha256 over the sorted keys, dtypes, shapes and bytes of a module's state dict; `None` if it is not all tensors.

    The bytes are those of the module, not of a file, so every file format of the same weights has the same fingerprint.
    """
    digest = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_quantized:
            return None
        digest.update(f"{key}\n{tensor.dtype}\n{list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def bytes_of(module: nn.Module) -> int:
    """What a module's weights and buffers take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
