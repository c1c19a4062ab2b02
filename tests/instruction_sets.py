# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CPU engine's targets, one for each instruction set."""

from collections.abc import Iterator
from contextlib import contextmanager

from visionbias.ops.native import engine

ENGINE = engine()
TARGETS = ENGINE.targets() if ENGINE else []
SMOOTH = [side for side in range(1, 73) if 210**6 % side == 0]  # sides that the engine's transforms take


@contextmanager
def on_target(name: str) -> Iterator[None]:
    """What runs inside runs on this target."""
    before = ENGINE.target()
    ENGINE.choose_target(name)
    try:
        yield
    finally:
        ENGINE.choose_target(before)
