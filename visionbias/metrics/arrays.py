# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the metrics demand of the numbers that they are given."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError


def floats(function: str, name: str, values: Any) -> NDArray[np.float64]:
    """The values as an array.

    Raises:
        ShapeError: they are no real numbers.
    """
    array = _array(function, name, values, "numbers")
    if array.dtype.kind == "c":
        raise ShapeError(f"{function}: {name} must be an array of real numbers, got {array.dtype}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ShapeError(f"{function}: {name} must be an array of numbers, got {values!r:.80}") from None


def booleans(function: str, name: str, values: Any) -> NDArray[np.bool_]:
    """The values as an array: True and False, or 1 and 0. What is missing, a prediction or a text is neither.

    Raises:
        ShapeError: they are something else.
    """
    array = _array(function, name, values, "True and False")
    if array.dtype == bool:
        return array
    if array.dtype == object:
        known = np.array([isinstance(v, (Real, np.bool_)) and v in (0, 1) for v in array.flat], dtype=bool)
    elif array.dtype.kind in "iuf":
        known = ((array == 0) | (array == 1)).ravel()
    else:
        known = np.zeros(array.size, dtype=bool)
    if not known.all():
        raise ShapeError(
            f"{function}: {name} must hold True and False (or 1 and 0), got {array.ravel()[known.argmin()]!r}; "
            "compare predictions with labels, and leave out what is missing"
        )
    return array.astype(bool)


def _array(function: str, name: str, values: Any, kind: str) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray):
        raise ShapeError(f"{function}: {name} is a masked array; leave out what is masked, as with values.compressed()")
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors that want gradients or are elsewhere
        got = f"{type(values).__name__}: {error}"
        raise ShapeError(f"{function}: {name} must be an array of {kind}, got {got}") from None


def percentage(function: str, name: str, value: Any) -> float:
    """A share in percent, between 0 and 100.

    Raises:
        ShapeError: it is none.
    """
    number = floats(function, name, value)
    if number.ndim or not 0.0 < number < 100.0:
        raise ShapeError(f"{function}: {name} must be a percentage between 0 and 100, got {value!r}")
    return float(number)
