# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks for the machine at hand: kernels against their definitions, measurements against networks of known bias."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
from visionbias.runtime.dispatch import Op

# Largest errors against the float64 reference. Ten times as much is allowed of unit noise, which is ten times as far
# from 0 as pixels are, and of images whose phase comes from bins next to zero, where it is known worse than a pixel is.
_OF_PIXELS, _OF_OTHERS = 2e-6, 2e-5
_OF_FLOAT16 = 5e-3  # products of float16: the backend triton_fast
_SHAPE = (3, 3, 224, 224)  # N C H W
_HALF = (0.5, 0.5, 0.5)
_CPU = torch.device("cpu")

Call = Callable[[Tensor, str], Tensor]  # (x, backend) -> y


def run_selftest() -> Iterator[Check]:
    """Yield each check as it is done: every backend, then the calibration of the demo, measured anew."""
    bands = [make(cutoff) for cutoff in (0.1, 0.5) for make in (lowpass, highpass)]
    ids = [f"image{i}" for i in range(_SHAPE[0])]
    unit = unit_normals(0, 0, sample_keys("selftest", ids, len(ids)), _SHAPE[2] * _SHAPE[3], _CPU)
    fields = unit.view(-1, *_SHAPE[2:])
    calls: dict[str, tuple[Op[Any, Any], float, Call]] = {
        "filter_bank": (FILTER_BANK, _OF_PIXELS, lambda x, backend: filter_bank(x, bands, backend=backend)),
        "normalize": (
            NORMALIZE,
            _OF_PIXELS,
            lambda x, b: normalize(x, _HALF, _HALF, memory_format=torch.channels_last, backend=b),
        ),
        "band_noise": (BAND_NOISE, _OF_OTHERS, lambda x, b: band_noise(fields.to(x.device), backend=b)),
        "critical_band": (
            BAND_NOISE,
            _OF_PIXELS,
            lambda x, b: critical_band(x, noise_sds=(0.02,), sample_ids=ids, backend=b),
        ),
        "cue_conflict": (SPECTRUM_MIX, _OF_OTHERS, lambda x, b: cue_conflict(x, x.flip(0), backend=b)),
        "random_phase": (SPECTRUM_MIX, _OF_OTHERS, lambda x, b: random_phase(x, sample_ids=ids, backend=b)),
        "phase_noise": (SPECTRUM_MIX, _OF_PIXELS, lambda x, b: phase_noise(x, width=90.0, sample_ids=ids, backend=b)),
        "power_equalize": (SPECTRUM_MIX, _OF_PIXELS, lambda x, b: power_equalize(x, mean_amplitude(x), backend=b)),
        "patch_shuffle": (PATCH_SHUFFLE, _OF_PIXELS, lambda x, b: patch_shuffle(x, grid=4, sample_ids=ids, backend=b)),
        "silhouette": (SILHOUETTE, _OF_PIXELS, lambda x, b: silhouette(x[:, :1], x, backend=b)),
        "desaturate": (DESATURATE, _OF_PIXELS, lambda x, b: desaturate(x, strength=0.5, backend=b)),
    }
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        yield from _check_normals(torch.device(device))
        pixels = torch.randint(0, 256, _SHAPE, dtype=torch.uint8).to(device, memory_format=torch.channels_last)
        for name, (op, allowed, call) in calls.items():
            for backend in op.impls:
                if backend != "reference":
                    limit = _OF_FLOAT16 if backend == "triton_fast" else allowed
                    yield _check_backend(f"{name}, {backend} on {device}", call, pixels, backend, limit)
    with TemporaryDirectory() as folder:  # the networks may be in the cache; the records of the machine are made anew
        yield from check_calibration(run_demo(Path(folder) / "run").summary())


def _check_normals(device: torch.device) -> Iterator[Check]:
    keys = sample_keys("selftest", ["a", "b"], 2)
    wanted = unit_normals(1, 2, keys, 1000, _CPU, "reference")
    for backend in NORMALS.impls:
        if backend != "reference":
            name = f"unit_normals, {backend} on {device.type}"
            try:
                differing = int((unit_normals(1, 2, keys, 1000, device, backend).cpu() != wanted).sum())
            except BackendError as refusal:
                yield Check(name, None, f"not here: {refusal}")
                continue
            yield Check(name, not differing, f"{differing} of 2000 numbers differ, allowed 0")


def _check_backend(name: str, call: Call, pixels: Tensor, backend: str, allowed: float) -> Check:
    try:
        got = call(pixels, backend)
    except BackendError as refusal:
        return Check(name, None, f"not here: {refusal}")
    error = (got.double() - call(pixels, "reference").double()).abs().max().item()
    return Check(name, error <= allowed, f"largest error {error:.1e}, allowed {allowed:.0e}")
