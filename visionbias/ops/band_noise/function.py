# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The functions `band_noise` and `critical_band` and their backends."""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from math import isfinite
from operator import index

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.band_noise import cuda, reference
from visionbias.ops.band_noise.fields import DrawnNoise, GivenNoise, Noise
from visionbias.ops.band_noise.native import NativeKernel, refuse
from visionbias.ops.band_noise.pyramid import FINEST, level_of
from visionbias.ops.band_noise.spec import Kernel, Spec
from visionbias.ops.band_noise.torch import TorchKernel
from visionbias.ops.fastest import fastest
from visionbias.ops.memory import check_dense, check_plain, new_output
from visionbias.ops.output import Output, finish_reference, prepare_output, writing
from visionbias.ops.philox import checked_seed, sample_keys
from visionbias.ops.tensors import FLOAT_DTYPES, check_images, check_output_kind, float64_pixels, number_between
from visionbias.runtime.dispatch import NOT_MEASURED, Impl, Op

CONTRAST, LUMINANCE = 0.2, 0.449  # of the published images
LARGEST_SD = 10.0
LARGEST_NORMAL = 1e4  # float16 holds it
FAINTEST_PEAK = 1e-6  # of a field that is not 0: float32 holds the squares of its rounding errors


class ReferenceKernel:
    """The definition, brought to tensors."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.levels = [level_of("critical_band", band, spec.height, spec.width) for band in spec.bands]

    def bands(self, noise: Noise, out: Tensor) -> None:
        """See `Kernel.bands`."""
        for b, band in enumerate(self.spec.bands):
            field = noise.field(slice(0, out.shape[1]), band).double().cpu().numpy()
            out[b].copy_(torch.from_numpy(reference.band_noise(field, self.levels[b])))

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        spec, rounds = self.spec, x.dtype == torch.uint8
        for i, pixels in enumerate(float64_pixels(x)):
            image = reference.low_contrast(pixels, rounds, spec.contrast, spec.luminance)
            for b, band in enumerate(spec.bands):
                field = noise.field(slice(i, i + 1), band)[0].double().cpu().numpy()
                unit = reference.band_noise(field, self.levels[b])
                for s, sd in enumerate(spec.noise_sds):
                    y = reference.add_noise(image, sd * unit, sd, partial(_redraw, noise, i, band, sd))
                    out[s, b, i].copy_(finish_reference(np.stack([y] * 3), spec.output))


def _redraw(
    noise: Noise, row: int, band: int, sd: float, places: NDArray[np.int64], attempt: int
) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = noise.redraw(row, band, sd, torch.from_numpy(places), attempt).double().cpu().numpy()
    return drawn


OP: Op[Spec, Kernel] = Op(
    "critical_band",
    {
        "native": Impl(NativeKernel, refuse),
        "torch": Impl(TorchKernel),
        "cuda": Impl(cuda.CudaKernel, cuda.refuse, on_request=True, why=NOT_MEASURED),
        "reference": Impl(ReferenceKernel, on_request=True),
    },
    lambda spec: fastest("band_noise", spec.output.device, spec.height, spec.width),
)


def critical_band(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides, C of 1 or 3
    *,
    bands: Iterable[int] = range(FINEST + 1),  # B of 0 ... 6, 6 the finest
    noise_sds: Iterable[float] = (0.02, 0.04, 0.08, 0.16),  # S, in units of the [0, 1] pixel scale
    seed: int = 0,
    sample_ids: Sequence[str] | None = None,  # [N]; may be left out with `noise`
    common_random_numbers: bool = False,
    noise: Tensor | None = None,  # [N, H, W] or [B, N, H, W] unit normals
    contrast: float = CONTRAST,
    luminance: float = LUMINANCE,
    mean: Sequence[float] | Tensor | None = None,  # [3], default 0
    std: Sequence[float] | Tensor | None = None,  # [3], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [S, B, N, 3, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """Grey images of low contrast in noise of one octave, as critical-band masking shows them.

    An image becomes (grey - its mean) * contrast + luminance; noise of a band is added with each standard deviation;
    pixels that it brings below 0 become 0.1, above 1 0.9. The noise is a function of (seed, band, sample id): a field
    for each band, or one for all with `common_random_numbers`; the levels of a band always share it. A standard
    deviation of 0 gives the image without noise.

    `noise` gives the field instead; then the sample ids serve only the rare pixels that are drawn again. They may be
    left out with `noise`, or where every standard deviation is 0: then they are the positions in the batch.

    Returns a tensor [S, B, N, 3, H, W] of three equal channels before (y - mean) / std, or `out`, overwritten, which
    must not overlap x or noise. Computed in float32, or in float64 for that `dtype`. It has no gradient.

    Raises:
        ShapeError: an argument is not as above, a value of x is outside [0, 1], x is too small for a band, or x or
            noise wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.

    Source: Subramanian et al., "Spatial-frequency channels, shape bias, and adversarial robustness", NeurIPS 2023.
    """
    chosen, sds = _bands("critical_band", bands), _noise_sds(noise_sds)
    lead = (len(sds), len(chosen))
    check_images("critical_band", x)
    n, c, h, w = x.shape
    if noise is not None:
        _check_noise("critical_band", noise, len(chosen), (n, h, w), x.device)
    beside = {} if noise is None else {"noise": noise}
    output, out = prepare_output(
        "critical_band", x, lead, mean, std, dtype, memory_format, out, channels=3, beside=beside
    )
    if noise is not None:
        _check_normals("critical_band", noise)
    if c not in (1, 3):
        raise ShapeError(f"critical_band: x must be grey or RGB, [N, 1 or 3, H, W], got {tuple(x.shape)}")
    luminance = number_between("critical_band", "luminance", luminance, 0.0, 1.0)
    contrast = number_between("critical_band", "contrast", contrast, 0.0, 0.5)
    if contrast > min(luminance, 1.0 - luminance):
        raise ShapeError(
            "critical_band: wanted contrast of at most luminance and 1 - luminance, so that no image leaves [0, 1], "
            f"got contrast={contrast}, luminance={luminance}"
        )
    if sample_ids is None:
        if noise is None and any(sds):
            raise ShapeError("critical_band: wanted sample_ids or noise; try sample_ids=[str(i) for i in range(N)]")
        sample_ids = [str(i) for i in range(n)]
    if not isinstance(common_random_numbers, bool):
        raise ShapeError(f"critical_band: common_random_numbers must be True or False, got {common_random_numbers!r}")
    keys = sample_keys("critical_band", sample_ids, n)
    drawn = DrawnNoise(checked_seed("critical_band", seed), keys, h, w, common_random_numbers, x.device)
    source: Noise = drawn if noise is None else GivenNoise(noise, chosen, drawn)
    with writing("critical_band", out):
        kernel = _kernel(Spec(chosen, sds, h, w, contrast, luminance, x.dtype, output), backend)
        if n:
            kernel.run(x, source, out)
    return out


def band_noise(
    noise: Tensor,  # [N, H, W] or [B, N, H, W] floating, unit normals
    *,
    bands: Iterable[int] = range(FINEST + 1),  # B of 0 ... 6, 6 the finest
    dtype: torch.dtype = torch.float32,
    backend: str = "auto",
) -> Tensor:
    """Noise of one octave: bands of the Laplacian pyramid of a field, with the rms of its finest band.

    Returns a tensor [B, N, H, W]. It has no gradient.

    Raises:
        ShapeError: an argument is not as above, the field is too small for a band, or it wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    chosen = _bands("band_noise", bands)
    check_output_kind("band_noise", dtype, torch.contiguous_format)
    if isinstance(noise, Tensor):
        check_dense("band_noise", "noise", noise)
    if not isinstance(noise, Tensor) or noise.ndim not in (3, 4) or min(noise.shape[-2:]) < 1:
        raise ShapeError(f"band_noise: noise must be a tensor [N, H, W] or [B, N, H, W], got {_kind(noise)}")
    n, h, w = noise.shape[-3:]
    _check_noise("band_noise", noise, len(chosen), (n, h, w), noise.device)
    check_plain("band_noise", {"noise": noise})
    _check_normals("band_noise", noise)
    for band in chosen:
        level_of("band_noise", band, h, w)
    output = Output((0.0,) * 3, (1.0,) * 3, dtype, noise.device)
    out = new_output("band_noise", (len(chosen),), (n, h, w), noise, dtype, torch.contiguous_format)
    drawn = DrawnNoise(0, np.zeros((n, 2), np.uint32), h, w, True, noise.device)
    if n:
        with writing("band_noise", out):
            kernel = _kernel(Spec(chosen, (), h, w, CONTRAST, LUMINANCE, noise.dtype, output), backend)
            kernel.bands(GivenNoise(noise, chosen, drawn), out)
    return out


@lru_cache(maxsize=64)
def _kernel(spec: Spec, backend: str) -> Kernel:
    return OP.pick(spec, backend)[1].make(spec)


def _bands(op: str, bands: Iterable[int]) -> tuple[int, ...]:
    try:
        chosen = tuple(index(band) for band in bands)
    except TypeError:
        raise ShapeError(f"{op}: bands must be a sequence of whole numbers, got {bands!r}; try range(7)") from None
    if not chosen or len(set(chosen)) != len(chosen):
        raise ShapeError(f"{op}: wanted one band or more and none twice, got {chosen}; try range(7)")
    return chosen


def _noise_sds(noise_sds: Iterable[float]) -> tuple[float, ...]:
    try:
        sds = tuple(float(sd) for sd in noise_sds)
    except (TypeError, ValueError, OverflowError):
        raise ShapeError(f"critical_band: noise_sds must be a sequence of numbers, got {noise_sds!r:.80}") from None
    if not sds or not all(isfinite(sd) and 0.0 <= sd <= LARGEST_SD for sd in sds):
        raise ShapeError(f"critical_band: noise_sds must be one or more numbers in [0, {LARGEST_SD:g}], got {sds}")
    return sds


def _check_noise(op: str, noise: Tensor, b: int, field: tuple[int, int, int], device: torch.device) -> None:
    if not isinstance(noise, Tensor) or noise.dtype not in FLOAT_DTYPES:
        raise ShapeError(f"{op}: noise must be a floating tensor of unit normals, got {_kind(noise)}")
    check_dense(op, "noise", noise)
    if tuple(noise.shape) not in (field, (b, *field)):
        raise ShapeError(
            f"{op}: noise must be [N, H, W] = {field} or [B, N, H, W] = {(b, *field)}, got {tuple(noise.shape)}"
        )
    if noise.device != device:
        raise ShapeError(f"{op}: noise must be on {device} as x is, got {noise.device}")


def _check_normals(op: str, noise: Tensor) -> None:
    """Demand numbers that float32 can square and sum."""
    peaks = noise.abs().amax((-2, -1))
    if not (peaks <= LARGEST_NORMAL).all():
        raise ShapeError(f"{op}: noise holds NaN, infinity or numbers beyond {LARGEST_NORMAL:g}; wanted unit normals")
    if ((peaks > 0.0) & (peaks < FAINTEST_PEAK)).any():
        raise ShapeError(
            f"{op}: noise holds a field with no number beyond {FAINTEST_PEAK:g}; wanted unit normals, or 0"
        )


def _kind(value: object) -> str:
    return f"a {value.dtype} tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
