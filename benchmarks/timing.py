# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Interleaved timing, so that a machine that slows down slows down every contender alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of one call."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the calls were faster."""
        return median(self.seconds)

    @property
    def best(self) -> float:
        """The fastest call."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """Distance between the quartiles over the median."""
        low, _, high = quantiles(self.seconds, n=4)
        return (high - low) / self.median


@dataclass(frozen=True)
class FirstCall:
    """What a contender costs before it is warm: whatever it compiles, plans and allocates."""

    seconds: float
    peak_bytes: int | None  # of a GPU's memory beyond what was taken before


def first_call(call: Callable[[], object], device: str) -> FirstCall:
    """Call once, and time it."""
    on_gpu = device.startswith("cuda")
    before = torch.cuda.memory_allocated(device) if on_gpu else 0
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    made = call()
    _finish(device)
    seconds = time.perf_counter() - start
    _remove(made)
    return FirstCall(seconds, torch.cuda.max_memory_allocated(device) - before if on_gpu else None)


def interleaved(contenders: Mapping[str, Callable[[], object]], repeats: int, device: str) -> dict[str, Timing]:
    """Time each contender, which is warm, `repeats` times, at least 5, in the order A B B A A B ... A temporary folder
    that it returns is removed when it has been timed.
    """
    if repeats < 5:
        raise ValueError(f"wanted at least 5 repeats, got {repeats}")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(repeats):
        for name in order:
            _settle(device)
            start = time.perf_counter()
            made = contenders[name]()
            _finish(device)
            seconds[name].append(time.perf_counter() - start)
            _remove(made)
        order.reverse()
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def copy_bandwidth(device: str) -> float:
    """Bytes/s read and written by the best of some copies that are larger than any cache, and take 0.1 ms and more."""
    size = 2**27 if device == "cpu" else 2**30
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / interleaved({"copy": lambda: target.copy_(source)}, 7, device)["copy"].best


def _remove(made: object) -> None:
    if isinstance(made, TemporaryDirectory):
        made.cleanup()


def _settle(device: str) -> None:
    """Nothing of the last contender may run beside the next: OpenMP's threads spin for some ms after their work."""
    _finish(device)
    time.sleep(0.05)


def _finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
