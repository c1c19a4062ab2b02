# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of our backends a benchmark times."""

from typing import TypeVar

from visionbias.runtime.dispatch import NOT_MEASURED, Op

S = TypeVar("S")
K = TypeVar("K")


def backends(op: Op[S, K], spec: S) -> list[str]:
    """Names of those that serve a call, but the definition; kernels that wait to be measured come first."""
    names = [name for name, impl in op.impls.items() if name != "reference" and not impl.refuse(spec)]
    return sorted(names, key=lambda name: op.impls[name].why != NOT_MEASURED)
