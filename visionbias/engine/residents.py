# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The models on the device: as many as their budget has room for; the others come again when they are wanted."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from visionbias.engine.host_models import HostModels
from visionbias.engine.inputs import shared_preprocessing
from visionbias.engine.precision import Chosen
from visionbias.errors import CheckpointError
from visionbias.models.compiler import Compiler
from visionbias.models.fast import worth_compiling
from visionbias.models.forward import Forward
from visionbias.models.model import Model
from visionbias.models.resolve import resolve_model
from visionbias.models.weights import bytes_of
from visionbias.runtime.memory import free_memory

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_SHARE = 0.5  # of the free memory; the rest is for stimuli and activations


_Key = tuple[str, bool]  # of weights: the model's id, and whether they are those of its copy


def budget_bytes(study: "Study", device: torch.device) -> int:
    """What the weights of a study's models may take."""
    own = study.model_memory_bytes
    return int(free_memory(device) * _SHARE) if own == "auto" else own


@dataclass(frozen=True)
class WeightBytes:
    """What the weights of a model take."""

    exact: int  # in float32; 0 for those of the user, who holds them anyway
    total: int  # in float32, whoever holds them
    packed: bool  # whether a graph of the model holds another copy

    @classmethod
    def of(cls, entry: Any, model: Model, device: torch.device) -> "WeightBytes":
        """Of the model that came from an entry of a study."""
        if not isinstance(model.call, nn.Module):
            return cls(0, 0, packed=False)
        total = bytes_of(model.call)
        is_users = isinstance(entry, tuple) and model.call is entry[1]
        packed = device.type == "cpu" and worth_compiling(model.call, device)
        return cls(0 if is_users else total, total, packed)

    def copied(self, dtype: torch.dtype) -> int:
        """Of a copy in a dtype, and of another where a CPU's graph packs them."""
        return self.total * dtype.itemsize // 4 * (2 if self.packed else 1)

    def running(self, dtype: torch.dtype, as_it_is: bool, attacked: bool) -> int:
        """While the model runs as it is, or a copy in a dtype; attacks need the model besides."""
        return self.exact if as_it_is else self.copied(dtype) + (self.exact if attacked else 0)


def groups_of(running: Mapping[str, int], budget: int) -> tuple[tuple[str, ...], ...]:
    """The ids of models that run together, in order, from the bytes that each takes; what does not fit runs alone."""
    groups: list[list[str]] = []
    taken = 0
    for name, size in running.items():
        if not groups or (size and taken + size > budget):
            groups.append([])
            taken = 0
        groups[-1].append(name)
        taken += size
    return tuple(map(tuple, groups))


class Residents:
    """Loads the models of a study when they are asked for, and holds them while there is room.

    Whatever goes through all models does so in the same order, so the first ones stay and the last loaded is let go.
    Its float32 weights wait on the host while there is room, else the model is loaded again. A module of the user's
    that runs as it is takes no room, is held always, and never moved.

    Args:
        entries: of the models, by id.
        load: makes a model of an entry.
        budget: bytes that weights may take. A model that is larger is held alone. While one is loaded or copied, it
            may take its room twice.
        host_budget: bytes that weights which are let go may take on the host.
        attacked: whether the models are attacked, for which their float32 weights are needed.
        device, batch, crop: of their forward passes; `None`: each model's own crop.
    """

    def __init__(
        self,
        entries: Mapping[str, Any],
        load: Callable[[Any], Model],
        *,
        budget: int,
        host_budget: int,
        attacked: bool,
        device: torch.device,
        batch: int,
        crop: int | None,
    ) -> None:
        self._entries, self._load = entries, load
        self._budget, self._attacked = budget, attacked
        self._device, self._batch, self._crop = device, batch, crop
        self.compiler = Compiler(device)
        self._host = HostModels(host_budget, device)
        self._exact: dict[str, Model] = {}
        self._fast: dict[str, Forward] = {}
        self._held: dict[_Key, int] = {}  # bytes, the last loaded last
        self._together: frozenset[str] = frozenset()
        self._bytes: dict[str, WeightBytes] = {}  # of all that were loaded once
        self._sha256: dict[str, str | None] = {}

    @classmethod
    def of(cls, study: "Study", budgets: tuple[int, int], device: torch.device, batch: int) -> "Residents":
        """None yet of the models of a study. Budgets are those of the device and of the host."""
        shared = shared_preprocessing(study)
        crop = None if shared is None else shared.crop
        return cls(
            dict(zip(study.model_ids, study.models, strict=True)),
            partial(resolve_model, device=device, offline=study.offline, crop=crop, batch=batch),
            budget=budgets[0],
            host_budget=budgets[1],
            attacked=any(arm.attacks for arm in study.arms),
            device=device,
            batch=batch,
            crop=crop,
        )

    def model(self, name: str) -> Model:
        """A model with its float32 weights.

        Raises:
            CheckpointError: it cannot be loaded, or its weights are not those of the first time.
        """
        if name not in self._exact:
            waiting = self._host.take(name)  # first, so that what is let go for it has room there
            if name in self._bytes:
                self._make_room(self._bytes[name].exact)
            with torch.inference_mode(False):  # what is made in that mode has no gradient
                model = self._load(self._entries[name]) if waiting is None else self._host.brought_back(waiting)
            if self._sha256.setdefault(name, model.weights_sha256) != model.weights_sha256:
                raise CheckpointError(
                    f"model {name!r}: wanted the weights that the run began with (sha256 {self._sha256[name]}), "
                    f"got others (sha256 {model.weights_sha256}); start again when nothing writes to them any more"
                )
            self._bytes[name] = WeightBytes.of(self._entries[name], model, self._device)
            self._make_room(self._bytes[name].exact)
            self._exact[name] = model
            self._held[name, False] = self._bytes[name].exact
        return self._exact[name]

    def forward(self, name: str, dtype: torch.dtype, compiled: bool) -> Forward:
        """The forward pass of a model.

        Raises:
            CheckpointError: see `model`, or the module cannot be copied.
        """
        if name not in self._fast:
            model = self.model(name)
            crop = self._crop or model.preprocessing.crop
            options: Any = {"device": self._device, "dtype": dtype, "batch": self._batch, "crop": crop}
            with torch.inference_mode(False):
                forward = Forward(model, compiler=self.compiler if compiled else None, **options)
            if forward.as_it_is:
                return forward
            self.keep(name, forward)
        return self._fast[name]

    def keep(self, name: str, forward: Forward) -> None:
        """Hold the forward pass of a copy, and no longer the model, unless it is needed for attacks."""
        if not self._attacked and self._held[name, False]:
            self._let_go([(name, False)])
        taken = self._bytes[name].copied(forward.dtype)
        self._make_room(taken)
        self._fast[name] = forward
        self._held[name, True] = taken

    def groups(self, chosen: Mapping[str, Chosen]) -> tuple[tuple[str, ...], ...]:
        """The ids of models that run together, from how each runs. All were loaded once."""
        running = {
            name: self._bytes[name].running(how.dtype, how.as_it_is, self._attacked) for name, how in chosen.items()
        }
        return groups_of(running, self._budget)

    def hold_together(self, names: tuple[str, ...]) -> None:
        """The models of a group run next: all others are let go, and none of them is until the next group does."""
        self._together = frozenset(names)
        self._let_go(self._others())

    def _make_room(self, coming: int) -> None:
        free = self._budget - sum(self._held.values()) - coming
        going = []
        for key in reversed(self._others()):
            if free >= 0:
                break
            free += self._held[key]
            going.append(key)
        self._let_go(going)

    def _others(self) -> list[_Key]:
        """What may be let go."""
        return [key for key, taken in self._held.items() if taken and key[0] not in self._together]

    def _take_turns(self) -> bool:
        """Whether the models that were loaded have no room together, as they are and copied in 16 bits. Only where
        models wait on the host, as on CUDA, does it matter.
        """
        return sum(size.exact + size.copied(torch.float16) for size in self._bytes.values()) > self._budget

    def _let_go(self, keys: Sequence[_Key]) -> None:
        for name, copied in keys:
            taken = self._held.pop((name, copied))
            if copied:
                del self._fast[name]
            elif self._take_turns():
                self._host.put(name, self._exact.pop(name), taken)
            else:  # a copy runs, and nothing will ask for it again
                del self._exact[name]
        if keys:
            gc.collect()  # modules may refer to themselves
