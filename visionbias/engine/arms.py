# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Arm`: one data set of a study and what is shown of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import Stimulus
from visionbias.datasets.base import Dataset
from visionbias.errors import RunError
from visionbias.probes.registry import Probe, condition_id, stimuli_of


@dataclass(frozen=True, eq=False)
class Arm:
    """The images of one set under the conditions that probes want of them."""

    data: Dataset
    stimuli: tuple[Stimulus, ...]
    attacks: tuple[Attack, ...]
    own: bool  # a probe's own images, not the study's

    @property
    def shown(self) -> tuple[Stimulus | Attack, ...]:
        """What is the same for all models, then what is made for each."""
        return (*self.stimuli, *self.attacks)

    def conditions_of(self, shown: Stimulus | Attack) -> tuple[str, ...]:
        """The ids in records of the conditions [F] of a stimulus, or of the one of an attack."""
        name = self.data.name if self.own else None
        conditions = (shown.condition,) if isinstance(shown, Attack) else shown.conditions
        return tuple(condition_id(name, condition) for condition in conditions)

    @property
    def common_conditions(self) -> tuple[str, ...]:
        """The ids in records of the conditions that are the same for all models."""
        return tuple(condition for stimulus in self.stimuli for condition in self.conditions_of(stimulus))

    @property
    def conditions(self) -> tuple[str, ...]:
        """The ids in records of all conditions."""
        return tuple(condition for shown in self.shown for condition in self.conditions_of(shown))

    @property
    def shown_at_once(self) -> int:
        """How many conditions are in memory together: those of one stimulus, or an attack."""
        return max([1, *(len(stimulus.conditions) for stimulus in self.stimuli)])

    @classmethod
    def of(cls, data: Dataset, probes: Sequence[Probe], own: bool) -> "Arm":
        """What probes show of a data set, each stimulus and attack once."""
        attacks = dict.fromkeys(attack for probe in probes for attack in probe.attacks)
        return cls(data, stimuli_of(probes), tuple(attacks), own)


def arms_of(data: Dataset, probes: Iterable[Probe]) -> tuple[Arm, ...]:
    """The study's own images first, if any probe shows them, then the sets that probes bring along, each once.

    Raises:
        RunError: two different sets have one name, or two stimuli of a set share a condition.
    """
    probes = tuple(probes)
    brought: dict[str, tuple[Dataset, list[Probe]]] = {}
    for probe in probes:
        for own in probe.own_data:
            known, users = brought.setdefault(own.name, (own, []))
            if own.name == data.name or (known is not own and known.describe() != own.describe()):
                raise RunError(f"two data sets of the study are named {own.name!r}; give one another name=")
            users.append(probe)
    users = [probe for probe in probes if not probe.own_data]
    arms = [Arm.of(data, users, own=False)] if users else []
    arms += [Arm.of(own, users, own=True) for own, users in brought.values()]
    for arm in arms:
        if len(set(arm.conditions)) != len(arm.conditions):
            twice = sorted({name for name in arm.conditions if arm.conditions.count(name) > 1})
            raise RunError(f"{arm.data.name}: two different stimuli are both named {', '.join(twice)}")
    return tuple(arms)
