# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backends of an op a test can ask for."""

from typing import Any

from visionbias.runtime.dispatch import Op

_GPU = {"cuda", "triton", "triton_fast"}  # on a GPU only


def on_cpu(op: Op[Any, Any], without: str | None = None) -> list[str]:
    """Those that serve tensors on the CPU, the best first."""
    return [name for name in op.impls if name not in {*_GPU, without}]
