# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Float32 that is float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import torch

_ROUNDED = ("tf32", "bf16")

_lock = Lock()
_inside = 0
_restore: Callable[[], None] = lambda: None  # noqa: E731


@contextmanager
def exact_float32() -> Iterator[None]:
    """Inside, float32 is multiplied as such, and autocast casts nothing in the caller's thread. By default a GPU's
    convolutions round what goes in to the 10 bits of TF32; programs may ask for as much, or for bfloat16, in matrix
    products and on CPUs.

    The settings are the process's: the first of several threads changes those that round, the last one puts them back.
    Torch's default for cuDNN, to round unless all of torch is told otherwise, cannot be set again: where there is a
    GPU, convolutions and recurrent layers round afterwards until they are told otherwise themselves.
    """
    global _inside, _restore
    with _lock:
        if not _inside:
            _restore = _set_exact()
        _inside += 1
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _restore()


def _set_exact() -> Callable[[], None]:
    """Change the settings, by the names that the caller used, for torch does not let them mix; what puts them back."""
    settings = _settings()
    before = [kind.fp32_precision for kind, _ in settings]
    if not any(precision in _ROUNDED for precision in before):
        return lambda: None
    older = _older()
    for put, _, exact in older:
        put(exact)
    for kind, _ in settings:
        if kind.fp32_precision in _ROUNDED:
            kind.fp32_precision = "ieee"

    def restore() -> None:
        for put, precision, _ in older:
            put(precision)
        for (kind, backend), precision in zip(settings, before, strict=True):
            if kind.fp32_precision != precision:
                kind.fp32_precision = "none" if precision == backend.fp32_precision else precision

    return restore


def _settings() -> list[tuple[Any, Any]]:
    """Those of the kinds of layers, each with the one that it follows where it has none of its own."""
    cpu, cudnn, cuda = torch.backends.mkldnn, torch.backends.cudnn, torch.backends.cuda
    kinds = [(cpu.conv, cpu), (cpu.rnn, cpu), (cpu.matmul, cpu)]  # type: ignore[attr-defined]
    if torch.cuda.is_available():  # torch calls the setting for all of CUDA cuDNN's
        kinds += [(cudnn.conv, cudnn), (cudnn.rnn, cudnn), (cuda.matmul, cudnn)]  # type: ignore[attr-defined]
    return kinds


def _older() -> list[tuple[Callable[[Any], None], Any, Any]]:
    """What sets each of the older names, what it is set to, and what is exact, unless it is set to that, or the newer
    names have left it without a meaning.
    """
    found: list[tuple[Callable[[Any], None], Any, Any]] = []
    with suppress(RuntimeError):
        found.append((torch.set_float32_matmul_precision, torch.get_float32_matmul_precision(), "highest"))
    if torch.cuda.is_available():
        with suppress(RuntimeError):
            found.append((_allow_tf32, torch.backends.cudnn.allow_tf32, False))
    return [(put, precision, exact) for put, precision, exact in found if precision != exact]


def _allow_tf32(allow: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allow
