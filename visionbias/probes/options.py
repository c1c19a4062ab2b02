# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of probes as plain Python values, which a run's manifest can hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import index
from typing import Any

from visionbias.errors import RunError
from visionbias.ops.filter_bank.bands import Band, bandpass, highpass, lowpass, octave


def number(name: str, value: Any) -> float:
    """The value as a float.

    Raises:
        RunError: it is none.
    """
    try:
        if isinstance(value, (str, bool)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):  # an array, or a whole number that no float holds
        raise RunError(f"{name} must be a number, got {value!r:.80}") from None


def numbers(name: str, values: Any) -> tuple[float, ...]:
    """The values as floats.

    Raises:
        RunError: they are no sequence of numbers.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise RunError(f"{name} must be a sequence of numbers, got {values!r}")
    return tuple(number(name, value) for value in values)


def whole_numbers(name: str, values: Any) -> tuple[int, ...]:
    """The values as whole numbers.

    Raises:
        RunError: they are no sequence of whole numbers.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise RunError(f"{name} must be a sequence of whole numbers, got {values!r}")
    try:
        return tuple(index(value) for value in values)
    except TypeError:
        raise RunError(f"{name} must be a sequence of whole numbers, got {values!r}") from None


def distinct(values: Sequence[float]) -> bool:
    """Whether values have names of their own in conditions and columns, which give them four digits."""
    return len({f"{value:.4g}" for value in values}) == len(values)


_MAKERS: dict[str, Callable[..., Band]] = {
    "lowpass": lowpass,
    "highpass": highpass,
    "bandpass": bandpass,
    "octave": octave,
}
_KEYS = ("kind", "cutoffs", "window", "order")


def band_of(name: str, value: Any) -> Band:
    """A band, or the band of a table such as `{"kind": "bandpass", "cutoffs": [0.1, 0.2], "window": "disk"}`.

    Raises:
        RunError: it is neither.
        DataError: a cutoff, the window or the order is not one.
    """
    if isinstance(value, Band):
        return value
    # A tuple: unlike a dict it can be asked for a list.
    if not isinstance(value, Mapping) or not set(value) <= set(_KEYS) or value.get("kind") not in tuple(_MAKERS):
        raise RunError(
            f"{name}: wanted a Band or a table with kind ({', '.join(_MAKERS)}), cutoffs, window and order, "
            f"got {value!r:.80}"
        )
    cutoffs = numbers(f"{name}: cutoffs", value.get("cutoffs", ()))
    options = {key: value[key] for key in ("window", "order") if key in value}
    try:
        return _MAKERS[value["kind"]](*cutoffs, **options)
    except TypeError as error:  # another count of cutoffs, or a window for an octave
        raise RunError(f"{name}: {error}; got {dict(value)}") from error


def band_options(band: Band) -> dict[str, Any]:
    """The table from which `band_of` makes a band again."""
    options: dict[str, Any] = {"kind": band.kind, "cutoffs": list(band.cutoffs)}
    if band.kind != "octave":
        options["window"] = band.window
    return options if band.order is None else options | {"order": band.order}
