# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks of the plain arguments that studies and stimulus streams take."""

import math
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from visionbias.datasets.base import Dataset
from visionbias.datasets.folder import ImageFolder
from visionbias.errors import RunError
from visionbias.probes.options import number

T = TypeVar("T")


def whole_number(name: str, value: Any, at_least: int, below: int = 2**63) -> int:
    """The value, if it is a whole number from `at_least` on and less than `below`.

    Raises:
        RunError: it is not.
    """
    try:
        number = -1 if isinstance(value, bool) else index(value)  # NumPy's whole numbers too
    except TypeError:
        number = -1
    if not at_least <= number < below:
        limit = f" and less than 2^{below.bit_length() - 1}" if number >= below else ""
        raise RunError(f"{name} must be a whole number of at least {at_least}{limit}, got {value!r}")
    return number


def number_from_zero(name: str, value: Any) -> float:
    """The value as a float, if it is a finite number of at least 0.

    Raises:
        RunError: it is not.
    """
    found = number(name, value)
    if not 0.0 <= found < math.inf:
        raise RunError(f"{name} must be a finite number of at least 0, got {value!r}")
    return found


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """The value, if it is allowed.

    Raises:
        RunError: it is not.
    """
    if value not in allowed:
        raise RunError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    return value


def path_of(name: str, value: Any) -> Path:
    """The value as a path.

    Raises:
        RunError: it is none, or no system could have it.
    """
    if not isinstance(value, (str, PathLike)) or "\0" in str(value):
        raise RunError(f"{name} must be a path, got {value!r:.80}")
    return Path(value)


def folder_of(name: str, value: Any) -> Path:
    """The value as a folder, the same one when the process changes its working folder later.

    Raises:
        RunError: it is no path, or no system could have it.
    """
    return path_of(name, value).absolute()


def instance_of(name: str, value: Any, kind: type[T]) -> T:
    """The value, if it is of a kind.

    Raises:
        RunError: it is not.
    """
    if not isinstance(value, kind):
        raise RunError(f"{name} must be a {kind.__name__}, got {value!r:.80}")
    return value


def data_set(value: Any) -> Dataset:
    """The data set, or the image folder of a path.

    Raises:
        RunError: it is neither.
        DataError: the folder cannot be listed.
    """
    if not isinstance(value, (str, Path, Dataset)):
        raise RunError(f"data must be a path or a data set, got {value!r:.80}; try data=vb.ImageFolder('images')")
    return value if isinstance(value, Dataset) else ImageFolder(value)
