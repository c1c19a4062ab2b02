# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be measured. A new measurement is one file with a registered function, named in `MODULES`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module

OPS = ("filter_bank", "band_noise", "spectrum_mix")  # they need torch, and what their contenders are made with
# Of this package, each with the benchmark of its name.
MODULES = (*OPS, "decode", "forward", "engine", "whole_job", "plan", "scaling", "rescore")


@dataclass(frozen=True)
class Case:
    """Contenders for the same work. The first is ours; the others are peers that it is compared with."""

    op: str
    shape: str  # of one call, as in "22 x [8, 3, 224, 224]"
    dtype: str
    unit: str  # of `work`, as in "conditions"
    work: float  # units done by one call of ours
    bytes_moved: int  # least number of bytes that one call must read and write
    contenders: Mapping[str, Callable[[], object]]
    check: Callable[
        [str], float
    ]  # largest error of a contender on fresh random input; raises AssertionError if too large
    floors: Mapping[str, float] = field(default_factory=dict)  # peer -> least ratio of our best rate to its to reach
    parts: Mapping[str, float] = field(default_factory=dict)  # peer -> share of the work that it does, if not all
    side: int | None = None  # the longer one of the images, of an op
    notes: dict[str, float] = field(default_factory=dict)  # further figures, which `check` may add


Cases = Callable[[str], Iterator[Case]]  # called with the device

BENCHMARKS: dict[str, Cases] = {}


def benchmark(name: str) -> Callable[[Cases], Cases]:
    """Register a function that yields cases for a device."""

    def register(cases: Cases) -> Cases:
        if name in BENCHMARKS:
            raise ValueError(f"benchmark {name!r} is registered twice")
        BENCHMARKS[name] = cases
        return cases

    return register


def load(names: Iterable[str] = MODULES) -> dict[str, Cases]:
    """Benchmarks by name; only theirs are imported."""
    for name in names:
        import_module(f"benchmarks.{name}")
    return {name: BENCHMARKS[name] for name in names}
