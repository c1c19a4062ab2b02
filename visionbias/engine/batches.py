# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How many images are worked on together, so that what is in memory at once fits."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from visionbias.engine.ahead import turns
from visionbias.engine.inputs import stimulus_buffer
from visionbias.errors import NoMemoryError
from visionbias.runtime.memory import free_memory

if TYPE_CHECKING:
    from visionbias.engine.study import Study

R = TypeVar("R")

# Images synthesized together, images forwarded together. On a CPU a small synthesis batch stays in the cache, and 32
# images are forwarded within 5 % of the best rate of 8 to 128 (ResNet-50, ConvNeXt-T, EfficientNet-B0).
_BATCHES = {"cpu": (8, 32), "cuda": (64, 256)}


def forward_batch(device: str) -> int:
    """Images forwarded together on a kind of device, unless a study says otherwise."""
    return _BATCHES.get(torch.device(device).type, _BATCHES["cpu"])[1]


def batch_sizes(study: "Study", device_type: str, found: Mapping[str, Any] | None) -> tuple[int, int]:
    """`batch_size` and `forward_batch` of a study; where it leaves them to us by device, but a run that was begun keeps
    its `forward_batch`: `found` is the study of its manifest.
    """
    batch, forward = _BATCHES.get(device_type, _BATCHES["cpu"])
    forward = min(forward, max(len(arm.data.samples) for arm in study.arms))
    if study.forward_batch != "auto":
        forward = study.forward_batch
    elif found is not None:
        forward = found["forward_batch"]
    return batch if study.batch_size == "auto" else study.batch_size, forward


def batch_that_fits(
    work: Callable[[int], R],  # what is done with a `forward_batch`
    study: "Study",
    found: Mapping[str, Any] | None,  # the study of the manifest that the run folder holds, if any
    forward_batch: int,
) -> tuple[R, int]:
    """What some work gives, and the `forward_batch` that it was done with: where its size is ours to choose, the given
    one is halved until it fits in memory.

    Raises:
        NoMemoryError: it does not fit and may not be made smaller.
    """
    while True:
        try:
            return work(forward_batch), forward_batch
        except (torch.OutOfMemoryError, NoMemoryError) as error:
            if found is not None or study.forward_batch != "auto" or forward_batch == 1:
                said = str(error)
                if not isinstance(error, NoMemoryError):
                    said = (
                        f"a forward pass of {forward_batch} images does not fit in the memory of the device: {error}; "
                        "free memory, or use a smaller forward_batch"
                    )
                raise NoMemoryError(f"{said} in a new run") from error
        forward_batch //= 2


def held_stimuli(
    study: "Study",
    crop: int,  # side in pixels, the largest that a model sees
    dtype: torch.dtype,
    batch: int,
    device: torch.device,
) -> list[Tensor]:
    """Buffers as large as those that a run holds at once.

    Raises:
        NoMemoryError: there is not enough memory for them.
    """
    conditions = max(arm.shown_at_once for arm in study.arms)
    taken = conditions * batch * 3 * crop**2 * dtype.itemsize * turns(device.type)
    # A CPU's system would grant what it does not have, and kill who uses it.
    if device.type == "cpu" and taken > (free := free_memory(device)):
        raise NoMemoryError(
            f"no memory for {conditions} conditions of {batch} images of {crop} x {crop} pixels: "
            f"wanted {taken:,} bytes, {free:,} are free; use a smaller forward_batch or crop"
        )
    return [stimulus_buffer(conditions, batch, crop, dtype, device) for _ in range(turns(device.type))]
