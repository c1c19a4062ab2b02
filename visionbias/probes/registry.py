# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The probes by name, for study files, manifests and listings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeVar, runtime_checkable

from visionbias.conditions.stimulus import Stimulus
from visionbias.errors import RunError
from visionbias.records.reader import ModelRecords


@runtime_checkable
class Probe(Protocol):
    """One measurement: the stimuli it shows and the numbers it reads from their records. A frozen dataclass."""

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """What must be shown."""
        ...

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Summary columns of one model, from its complete records."""
        ...


_PROBES: dict[str, type[Any]] = {}
P = TypeVar("P", bound=type[Any])


def register(name: str) -> Callable[[P], P]:
    """Class decorator that makes a probe known by `name`; a name taken already is a bug."""

    def store(probe: P) -> P:
        if name in _PROBES:
            raise ValueError(f"probe {name!r} is registered twice")
        _PROBES[name] = probe
        return probe

    return store


def probe_name(probe: Probe) -> str:
    """The registered name of a probe.

    Raises:
        RunError: its class is not registered.
    """
    for name, kind in _PROBES.items():
        if type(probe) is kind:
            return name
    raise RunError(f"{probe!r} is no registered probe; known: {', '.join(known_probes())}")


def probe_config(probe: Probe) -> dict[str, Any]:
    """A probe as JSON has it, from which `make_probe` builds it again."""
    options = asdict(probe)  # type: ignore[call-overload]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    return {"probe": probe_name(probe), **plain}


def make_probe(config: Mapping[str, Any]) -> Probe:
    """Build a probe from `{"probe": name, option: value, ...}`.

    Raises:
        RunError: the name or an option is unknown (the allowed ones are named), or an option is of the wrong kind.
        DataError: an option is out of range.
    """
    name, options = config.get("probe"), {k: v for k, v in config.items() if k != "probe"}
    if name not in _PROBES:
        raise RunError(f"probe must be one of {', '.join(known_probes())}; got {name!r}")
    allowed = [field.name for field in fields(_PROBES[name])]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise RunError(f"probe {name!r} has no option {', '.join(unknown)}; allowed: {', '.join(allowed) or 'none'}")
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        probe: Probe = _PROBES[name](**frozen)
    except TypeError as error:  # text where a number belongs, and the like
        raise RunError(f"probe {name!r}: {error}; got the options {options}") from error
    return probe


def stimuli_of(probes: Iterable[Probe]) -> tuple[Stimulus, ...]:
    """What the probes show, each stimulus once, in their order."""
    return tuple(dict.fromkeys(stimulus for probe in probes for stimulus in probe.stimuli))


def known_probes() -> list[str]:
    """Names that `make_probe` takes."""
    return sorted(_PROBES)
