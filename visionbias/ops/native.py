# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CPU engine, `visionbias._C`."""

from functools import cache
from importlib import import_module
from typing import Any

NOT_BUILT = "visionbias._C is not built; run: python setup.py build_ext --inplace"


@cache
def engine() -> Any:
    """The extension module, or None if it was not built."""
    try:
        return import_module("visionbias._C")
    except ImportError:
        return None
