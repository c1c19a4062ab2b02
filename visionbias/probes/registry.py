# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Probe`, and the probes by name, for study files, manifests and listings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import Stimulus
from visionbias.datasets.base import Dataset
from visionbias.errors import RunError
from visionbias.records.reader import ModelRecords


class Probe(ABC):
    """One measurement: the stimuli it shows and the numbers it reads from their records.

    Subclasses are frozen dataclasses. What a field marked with `metadata=IMAGES` holds is needed to run the probe, not
    to score it, and stays out of the manifest.
    """

    registered_as: ClassVar[str]

    @property
    def own_data(self) -> tuple[Dataset, ...]:
        """The sets that it shows; none for the images of the study."""
        return ()

    @property
    def reads_decision16(self) -> bool:
        """Whether it needs decisions among the 16 categories, which models of ImageNet's 1000 classes make."""
        return False

    @property
    def biases(self) -> tuple[str, ...]:
        """Its summary columns that say how a model sees: what may explain generalization."""
        return ()

    @property
    def benchmarks(self) -> Mapping[str, tuple[str, ...]]:
        """Group -> its summary columns that say how well a model generalizes: what may be explained."""
        return {}

    @property
    @abstractmethod
    def stimuli(self) -> tuple[Stimulus, ...]:
        """What must be shown."""

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """What must be shown and is made for each model."""
        return ()

    @abstractmethod
    def score(self, records: ModelRecords) -> Mapping[str, float | str]:
        """Summary columns of one model, from its complete records."""

    def combine(self, columns: Mapping[str, float | str]) -> Mapping[str, float | str]:  # noqa: ARG002
        """Further summary columns of one model, from the columns of all probes."""
        return {}

    def config(self) -> dict[str, Any]:
        """The probe as JSON has it, from which `make_probe` builds it again for scoring."""
        kept = {field.name: getattr(self, field.name) for field in fields(self) if not field.metadata}  # type: ignore[arg-type]
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}
        return {"probe": self.registered_as, **plain}


IMAGES = {"needed": "to run only"}

_PROBES: dict[str, type[Probe]] = {}
P = TypeVar("P", bound=Probe)


def register(name: str) -> Callable[[type[P]], type[P]]:
    """Class decorator that makes a probe known by `name`; a name taken already is a bug."""

    def store(probe: type[P]) -> type[P]:
        if name in _PROBES:
            raise ValueError(f"probe {name!r} is registered twice")
        _PROBES[name] = probe
        probe.registered_as = name
        return probe

    return store


def require_probe(value: Any) -> Probe:
    """The value, if it is a registered probe.

    Raises:
        RunError: it is not.
    """
    if not isinstance(value, Probe):
        known = _PROBES.get(value) if isinstance(value, str) else None
        example = "visionbias.Accuracy()" if known is None else f"{known.__name__}()"
        raise RunError(f"wanted a probe, such as {example}, got {value!r:.80}")
    if _PROBES.get(getattr(value, "registered_as", "")) is not type(value):
        raise RunError(f"the probe {type(value).__name__} has no name; put @register('its_name') before its class")
    return value


def probe_class(name: Any) -> type[Probe]:
    """The class that is registered under a name.

    Raises:
        RunError: there is none; the known names are listed.
    """
    if name not in _PROBES:
        raise RunError(f"probe must be one of {', '.join(known_probes())}; got {name!r}")
    return _PROBES[name]


def make_probe(config: Mapping[str, Any]) -> Probe:
    """Build a probe from `{"probe": name, option: value, ...}`.

    Raises:
        RunError: the name or an option is unknown (the allowed ones are named), or an option is of the wrong kind.
        DataError: an option is out of range, or the probe's own images cannot be listed.
    """
    name, options = config.get("probe"), {k: v for k, v in config.items() if k != "probe"}
    kind = probe_class(name)
    allowed = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise RunError(f"probe {name!r} has no option {', '.join(unknown)}; allowed: {', '.join(allowed) or 'none'}")
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        return kind(**frozen)
    except TypeError as error:  # text where a number belongs, and the like
        raise RunError(f"probe {name!r}: {error}; got the options {options}") from error


def condition_id(data_name: str | None, condition: str) -> str:
    """A condition's name in records: alone for the study's images, after the set's name for others."""
    return condition if data_name is None else f"{data_name}/{condition}"


def stimuli_of(probes: Iterable[Probe]) -> tuple[Stimulus, ...]:
    """What the probes show, each stimulus once, in their order."""
    return tuple(dict.fromkeys(stimulus for probe in probes for stimulus in probe.stimuli))


def image_options(name: Any) -> tuple[str, ...]:
    """The options of a probe that say where its images are.

    Raises:
        RunError: there is no such probe.
    """
    return tuple(field.name for field in fields(probe_class(name)) if field.metadata)  # type: ignore[arg-type]


def known_probes() -> list[str]:
    """Names that `make_probe` takes."""
    return sorted(_PROBES)
