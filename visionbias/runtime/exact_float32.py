# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Float32 that is float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch

_lock = Lock()
_inside = 0
_restore: Callable[[], None] = lambda: None  # noqa: E731


@contextmanager
def exact_float32() -> Iterator[None]:
    """Inside, float32 is multiplied as such. By default a GPU's convolutions round what goes in to the 10 bits of TF32;
    programs may ask for as much, or for bfloat16, in matrix products and on CPUs.

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
    cudnn, cuda, mkldnn = torch.backends.cudnn, torch.backends.cuda, torch.backends.mkldnn
    settings: Any = (cudnn.conv, cuda.matmul, mkldnn.conv, mkldnn.matmul)  # type: ignore[attr-defined]
    try:
        older = cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:  # the newer names were used
        older = None
    newer = [setting.fp32_precision for setting in settings]
    if older is not None:
        _set_older(False, "highest")
        if not {"tf32", "bf16"} & {setting.fp32_precision for setting in settings}:
            return lambda: _set_older(*older)
    for setting in settings:
        setting.fp32_precision = "ieee"

    def restore() -> None:
        for setting, before in zip(settings, newer, strict=True):
            setting.fp32_precision = before

    return restore


def _set_older(allow_tf32: bool, matmul: str) -> None:
    torch.backends.cudnn.allow_tf32 = allow_tf32
    if torch.get_float32_matmul_precision() != matmul:
        torch.set_float32_matmul_precision(matmul)
