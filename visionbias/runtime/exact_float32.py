# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Float32 that is float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_lock = Lock()
_inside = 0
_restore: Callable[[], None] = lambda: None  # noqa: E731


@contextmanager
def exact_float32() -> Iterator[None]:
    """Inside, float32 is multiplied as such. By default a GPU's convolutions round what goes in to the 10 bits of TF32.

    The settings are the process's: the first of several threads changes them, the last one puts them back.
    """
    global _inside, _restore
    with _lock:
        if not _inside:
            _restore = _set_exact()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _restore()


def _set_exact() -> Callable[[], None]:
    """Change the settings by the names that the caller used, for torch does not let them mix; what puts them back."""
    conv, matmul = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    try:
        older = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:  # the newer names were used
        older = None
    newer = conv.fp32_precision, matmul.fp32_precision
    if older is not None:
        _set_older(False, "highest")
        if "tf32" not in (conv.fp32_precision, matmul.fp32_precision):
            return lambda: _set_older(*older)
    conv.fp32_precision = matmul.fp32_precision = "ieee"

    def restore() -> None:
        conv.fp32_precision, matmul.fp32_precision = newer

    return restore


def _set_older(allow_tf32: bool, matmul: str) -> None:
    torch.backends.cudnn.allow_tf32 = allow_tf32
    if torch.get_float32_matmul_precision() != matmul:
        torch.set_float32_matmul_precision(matmul)
