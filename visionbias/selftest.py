# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks for the machine at hand: kernels against their definitions, measurements against networks of known bias."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from visionbias.demo import run_demo
from visionbias.demo.calibration import Check, check_calibration
from visionbias.errors import BackendError
from visionbias.ops.filter_bank.bands import highpass, lowpass
from visionbias.ops.filter_bank.bank import filter_bank
from visionbias.ops.filter_bank.plan import OP as FILTER_BANK
from visionbias.ops.normalize.function import OP as NORMALIZE
from visionbias.ops.normalize.function import normalize

# For values in [0, 1]; the reference is float64.
TOLERANCE = 2e-6
_SHAPE = (3, 3, 224, 224)  # N C H W

Call = Callable[[Tensor, str], Tensor]  # (x, backend) -> y


def run_selftest() -> Iterator[Check]:
    """Yield each check as it is done: every backend that this machine has, then the calibration of the demo."""
    bands = [make(cutoff) for cutoff in (0.1, 0.5) for make in (lowpass, highpass)]
    calls: dict[str, tuple[list[str], Call]] = {
        "filter_bank": (list(FILTER_BANK.impls), lambda x, backend: filter_bank(x, bands, backend=backend)),
        "normalize": (
            list(NORMALIZE.impls),
            lambda x, backend: normalize(x, (0.5,) * 3, (0.5,) * 3, backend=backend),
        ),
    }
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        pixels = torch.randint(0, 256, _SHAPE, dtype=torch.uint8).to(device, memory_format=torch.channels_last)
        for op, (backends, call) in calls.items():
            for backend in backends:
                if backend != "reference":
                    yield _check_backend(f"{op}, {backend} on {device}", call, pixels, backend)
    yield from check_calibration(run_demo().summary())


def _check_backend(name: str, call: Call, pixels: Tensor, backend: str) -> Check:
    try:
        got = call(pixels, backend)
    except BackendError as refusal:
        return Check(name, True, f"not here: {refusal}")
    error = (got.double() - call(pixels, "reference").double()).abs().max().item()
    return Check(name, error <= TOLERANCE, f"largest error {error:.1e}, allowed {TOLERANCE:.0e}")
