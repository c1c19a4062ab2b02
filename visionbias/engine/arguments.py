# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks of the plain arguments that studies and stimulus streams take."""

from typing import Any

from visionbias.errors import RunError


def whole_number(name: str, value: Any, at_least: int) -> int:
    """The value, if it is a whole number that is large enough.

    Raises:
        RunError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise RunError(f"{name} must be a whole number of at least {at_least}, got {value!r}")
    return value


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """The value, if it is allowed.

    Raises:
        RunError: it is not.
    """
    if value not in allowed:
        raise RunError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    return value
