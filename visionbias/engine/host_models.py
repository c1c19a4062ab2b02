# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Models that the device has no room for wait in the host's memory, from where a copy brings them back."""

from dataclasses import replace

import torch
from torch import nn

from visionbias.models.model import Model
from visionbias.runtime.memory import free_memory

_HOST = torch.device("cpu")
_SHARE = 0.5  # of the free memory; the rest is for the pages of crops and what else runs


def host_bytes(device: torch.device) -> int:
    """What models may take in the host's memory besides the device's; nothing where that is the same memory."""
    return int(free_memory(_HOST) * _SHARE) if device.type == "cuda" else 0


class HostModels:
    """Modules that the device let go, as many as there is room for.

    A module is in one place at a time: it is moved, not copied, so that it takes no memory twice. The memory is not
    pinned, for each module comes back a few times only, and the system could not have pinned memory back.

    Args:
        budget: bytes that they may take.
        device: where they run.
    """

    def __init__(self, budget: int, device: torch.device) -> None:
        self._budget, self._device = budget, device
        self._held: dict[str, tuple[Model, int]] = {}

    def put(
        self,
        name: str,
        model: Model,  # nothing else may run or hold its module
        size: int,  # bytes
    ) -> None:
        """Move a model here if there is room; else it is forgotten. Those that are here stay."""
        room = self._budget - sum(taken for _, taken in self._held.values())
        if size > room or not isinstance(model.call, nn.Module):
            return
        try:
            self._held[name] = _moved(model, _HOST), size
        except RuntimeError:  # the host has less memory by now
            return

    def take(self, name: str) -> Model | None:
        """A model that is here, still on the host, which is here no longer; `None` if it is not."""
        return self._held.pop(name, (None, 0))[0]

    def brought_back(self, model: Model) -> Model:
        """A model that was taken, on the device.

        Raises:
            torch.OutOfMemoryError: there is no memory for it.
        """
        return _moved(model, self._device)


def _moved(model: Model, place: torch.device) -> Model:
    assert isinstance(model.call, nn.Module)
    with torch.inference_mode(False):  # what is made in that mode has no gradient
        return replace(model, call=model.call.to(place))
