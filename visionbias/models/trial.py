# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules and callables are tried on noise before a run relies on them."""

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError, NoMemoryError
from visionbias.models.forward import checked_logits

_MOST_CHANGE = 1e-3  # of a logit by chance in the order of sums, in units of the largest


@torch.inference_mode()
def tried(name: str, call: Callable[[Tensor], Tensor], device: torch.device, crop: int, batch: int) -> int:
    """Number of classes of a module or callable, which must say the same of an image in any company.

    Raises:
        CheckpointError: it fails, gives no logits, gives features, or logits that depend on the batch or on chance.
        NoMemoryError: there is no memory for the noise.
    """
    answers = [_twice(name, call, device, crop, batch)]
    if batch == 1:  # nothing is beside that image
        with suppress(CheckpointError, NoMemoryError, torch.OutOfMemoryError):  # it may take no other batch
            answers.append(_twice(name, call, device, crop, 2))
    for first, again in answers:
        scale = float(first.nan_to_num(0.0, 0.0, 0.0).abs().max())  # a run sets aside who answers no number
        if not torch.allclose(first, again, rtol=0.0, atol=_MOST_CHANGE * scale, equal_nan=True):
            raise CheckpointError(
                f"model {name!r}: wanted logits of an image that depend on nothing else, but beside other images or "
                "at another call they differ; call .eval() on what the function calls, and let batch norm track its "
                "statistics"
            )
    num_classes = answers[0][0].shape[1]
    _require_classifier(name, call, num_classes)
    return num_classes


def _twice(
    name: str, call: Callable[[Tensor], Tensor], device: torch.device, crop: int, batch: int
) -> tuple[Tensor, Tensor]:  # [N / 2, K] both, but of one image [1, K]
    """Logits of the same noise in front of other noise, and behind images of one color in the opposite order."""
    kept = max(1, batch // 2)
    random = torch.Generator().manual_seed(0)
    try:
        images = torch.randn(batch, 3, crop, crop, generator=random, dtype=torch.float32, device="cpu").to(device)
        others = images.flip(0)  # before the call, which may write into its input
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        raise NoMemoryError(
            f"no memory on {device} for {batch} images of {crop} x {crop} pixels; use a smaller forward_batch"
        ) from error
    others[: batch - kept] = 1.0
    logits = checked_logits(call, images, name)
    again = checked_logits(call, others, name, logits.shape[1])
    return logits[:kept], again.flip(0)[:kept]


def _require_classifier(name: str, call: Callable[[Tensor], Tensor], width: int) -> None:
    """Refuse a module whose output is as wide as its features and not as its classes, where it tells both, as timm's
    do. One whose head was exchanged has an output of neither width.
    """
    if not isinstance(call, nn.Module) or width == getattr(call, "num_classes", width):
        return
    if width in (getattr(call, "num_features", None), getattr(call, "head_hidden_size", None)):
        raise CheckpointError(
            f"model {name!r}: wanted logits, one for each of the {call.num_classes} classes that it tells of, got "
            f"its {width} features; give the model with its classifier, or set its num_classes if they are logits"
        )
