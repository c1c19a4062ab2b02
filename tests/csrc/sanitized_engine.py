# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The module at $VISIONBIAS_SANITIZED_ENGINE takes the place of `visionbias._C`. A plugin of pytest, or imported."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from math import prod
from typing import Any

import pytest

_MOST_PIXELS = 10_000  # of an image: larger ones take the same paths and the more time

_spec = spec_from_file_location("visionbias._C", os.environ["VISIONBIAS_SANITIZED_ENGINE"])
assert _spec is not None
assert _spec.loader is not None
engine = sys.modules[_spec.name] = module_from_spec(_spec)
_spec.loader.exec_module(engine)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests of large images."""
    items[:] = [item for item in items if not _large(getattr(item, "callspec", None))]


def _large(parameters: Any) -> bool:
    size = parameters.params.get("size") if parameters else None
    return isinstance(size, tuple) and prod(size) > _MOST_PIXELS
