# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the metrics demand of the numbers that they are given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionbias.errors import ShapeError


def floats(function: str, name: str, values: Any) -> NDArray[np.float64]:
    """The values as an array.

    Raises:
        ShapeError: they are no numbers.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ShapeError(f"{function}: {name} must be an array of numbers, got {values!r:.80}") from None


def percentage(function: str, name: str, value: Any) -> float:
    """A share in percent, between 0 and 100.

    Raises:
        ShapeError: it is none.
    """
    number = floats(function, name, value)
    if number.ndim or not 0.0 < number < 100.0:
        raise ShapeError(f"{function}: {name} must be a percentage between 0 and 100, got {value!r}")
    return float(number)
