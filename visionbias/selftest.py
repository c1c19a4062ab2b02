# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks for the machine at hand: kernels against their definitions, measurements against networks of known bias."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from visionbias.demo import run_demo
from visionbias.demo.calibration import Check, check_calibration
from visionbias.errors import BackendError
from visionbias.ops.band_noise import band_noise, critical_band
from visionbias.ops.band_noise.function import OP as BAND_NOISE
from visionbias.ops.desaturate.function import OP as DESATURATE
from visionbias.ops.desaturate.function import desaturate
from visionbias.ops.filter_bank.bands import highpass, lowpass
from visionbias.ops.filter_bank.bank import filter_bank
from visionbias.ops.filter_bank.plan import OP as FILTER_BANK
from visionbias.ops.normalize.function import OP as NORMALIZE
from visionbias.ops.normalize.function import normalize
from visionbias.ops.patch_shuffle.function import OP as PATCH_SHUFFLE
from visionbias.ops.patch_shuffle.function import patch_shuffle
from visionbias.ops.philox import sample_keys, unit_normals
from visionbias.ops.philox.normals import OP as NORMALS
from visionbias.ops.silhouette.function import OP as SILHOUETTE
from visionbias.ops.silhouette.function import silhouette
from visionbias.ops.spectrum_mix import cue_conflict, mean_amplitude, phase_noise, power_equalize, random_phase
from visionbias.ops.spectrum_mix.kernels import OP as SPECTRUM_MIX

# For values in [0, 1]; the reference is float64.
TOLERANCE = 2e-6
_SHAPE = (3, 3, 224, 224)  # N C H W
_HALF = (0.5, 0.5, 0.5)
_CPU = torch.device("cpu")

Call = Callable[[Tensor, str], Tensor]  # (x, backend) -> y


def run_selftest() -> Iterator[Check]:
    """Yield each check as it is done: every backend that this machine has, then the calibration of the demo."""
    bands = [make(cutoff) for cutoff in (0.1, 0.5) for make in (lowpass, highpass)]
    ids = [f"image{i}" for i in range(_SHAPE[0])]
    unit = unit_normals(0, 0, sample_keys("selftest", ids, len(ids)), _SHAPE[2] * _SHAPE[3], _CPU)
    fields = unit.view(-1, *_SHAPE[2:])
    calls: dict[str, tuple[Iterable[str], Call]] = {
        "filter_bank": (FILTER_BANK.impls, lambda x, backend: filter_bank(x, bands, backend=backend)),
        "normalize": (
            NORMALIZE.impls,
            lambda x, b: normalize(x, _HALF, _HALF, memory_format=torch.channels_last, backend=b),
        ),
        # Unit noise is ten times as far from 0 as pixels are.
        "band_noise": (BAND_NOISE.impls, lambda x, b: band_noise(fields.to(x.device), backend=b) / 10),
        "critical_band": (
            BAND_NOISE.impls,
            lambda x, b: critical_band(x, noise_sds=(0.02,), sample_ids=ids, backend=b),
        ),
        # The phase of a bin next to zero is known worse than a pixel is.
        "cue_conflict": (SPECTRUM_MIX.impls, lambda x, b: cue_conflict(x, x.flip(0), backend=b) / 10),
        "random_phase": (SPECTRUM_MIX.impls, lambda x, b: random_phase(x, sample_ids=ids, backend=b) / 10),
        "phase_noise": (SPECTRUM_MIX.impls, lambda x, b: phase_noise(x, width=90.0, sample_ids=ids, backend=b)),
        "power_equalize": (SPECTRUM_MIX.impls, lambda x, b: power_equalize(x, mean_amplitude(x), backend=b)),
        "patch_shuffle": (PATCH_SHUFFLE.impls, lambda x, b: patch_shuffle(x, grid=4, sample_ids=ids, backend=b)),
        "silhouette": (SILHOUETTE.impls, lambda x, b: silhouette(x[:, :1], x, backend=b)),
        "desaturate": (DESATURATE.impls, lambda x, b: desaturate(x, strength=0.5, backend=b)),
    }
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        yield from _check_normals(torch.device(device))
        pixels = torch.randint(0, 256, _SHAPE, dtype=torch.uint8).to(device, memory_format=torch.channels_last)
        for op, (backends, call) in calls.items():
            for backend in backends:
                if backend != "reference":
                    yield _check_backend(f"{op}, {backend} on {device}", call, pixels, backend)
    yield from check_calibration(run_demo().summary())


def _check_normals(device: torch.device) -> Iterator[Check]:
    keys = sample_keys("selftest", ["a", "b"], 2)
    wanted = unit_normals(1, 2, keys, 1000, _CPU, "reference")
    for backend in NORMALS.impls:
        if backend != "reference":
            name = f"unit_normals, {backend} on {device.type}"
            try:
                differing = int((unit_normals(1, 2, keys, 1000, device, backend).cpu() != wanted).sum())
            except BackendError as refusal:
                yield Check(name, True, f"not here: {refusal}")
                continue
            yield Check(name, not differing, f"{differing} of 2000 numbers differ, allowed 0")


def _check_backend(name: str, call: Call, pixels: Tensor, backend: str) -> Check:
    try:
        got = call(pixels, backend)
    except BackendError as refusal:
        return Check(name, True, f"not here: {refusal}")
    error = (got.double() - call(pixels, "reference").double()).abs().max().item()
    return Check(name, error <= TOLERANCE, f"largest error {error:.1e}, allowed {TOLERANCE:.0e}")
