# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of probes as plain Python values, which a run's manifest can hold."""

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

from visionbias.errors import RunError


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
