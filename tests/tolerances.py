# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How far every op may be from its float64 definition. Nothing at run time loosens these numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tolerance:
    """Largest difference allowed: `absolute`, in units of the [0, 1] pixel scale, plus `relative` times the value."""

    absolute: float
    relative: float = 0.0


# Half a unit in the last place of the output type, rounded up a little for values on a tie.
ROUNDING = {torch.float64: 0.0, torch.float32: 0.0, torch.float16: 1.02 * 2.0**-11, torch.bfloat16: 1.02 * 2.0**-8}

# An FFT's error grows with the norm of its input, and pixels are at most 1.
FILTER_BANK = {
    dtype: Tolerance(1e-13 if dtype == torch.float64 else 2e-6, relative) for dtype, relative in ROUNDING.items()
}
# float16 operands: 2e-3 was the worst of some millions of pixels, and 1.4e-4 their root mean square.
FILTER_BANK_FAST = {dtype: Tolerance(5e-3, relative) for dtype, relative in ROUNDING.items()}
NORMALIZE = {
    dtype: Tolerance(1e-15 if dtype == torch.float64 else 2e-7, relative) for dtype, relative in ROUNDING.items()
}

# Noise of standard deviation 10 at most, and pixels that were scaled down; float32 matrix products of 224 terms.
CRITICAL_BAND = {
    dtype: Tolerance(1e-12 if dtype == torch.float64 else 2e-6, relative) for dtype, relative in ROUNDING.items()
}
# Unit noise reaches 5; the coarsest band is scaled by up to 60 after the products.
BAND_NOISE = Tolerance(1e-5)

# float32 knows the phase of a bin F of image x to eps |x| / |F|, and a whole bin of the texture turns by that. Next to
# the floor of 1e-6 |x| it is a twentieth, but such bins are few, and each is a small part of the image: of images for
# which `phases_are_known`, that is.
SPECTRUM_MIX = {
    dtype: Tolerance(1e-10 if dtype == torch.float64 else 2e-5, relative) for dtype, relative in ROUNDING.items()
}
# Phases that are given, or amplitudes alone: as well conditioned as a filter.
PHASES = {dtype: Tolerance(1e-12 if dtype == torch.float64 else 5e-6, relative) for dtype, relative in ROUNDING.items()}
# A product and a sum or two.
ELEMENTWISE = {
    dtype: Tolerance(1e-14 if dtype == torch.float64 else 3e-7, relative) for dtype, relative in ROUNDING.items()
}

# Stored values of the published float32 code.
GOLDEN_PIXEL = 2e-6
GOLDEN_MOMENT = 1e-6
GOLDEN_CLIPPED_SHARE = 1e-4


def phases_are_known(x: Tensor) -> bool:  # [..., H, W]
    """Whether float32 knows the phases so well that white noise which turns by their errors moves by less than half of
    `SPECTRUM_MIX`. A random image may have a bin that is too faint.
    """
    pixels = x.double() / (255 if x.dtype == torch.uint8 else 1)
    norm = torch.linalg.vector_norm(pixels, dim=(-2, -1), keepdim=True)
    turns = 2.0**-23 * norm / torch.fft.fft2(pixels).abs()
    turns = turns.nan_to_num(nan=0.0, posinf=torch.inf)  # black has no phase
    return bool(turns.square().mean((-2, -1)).sqrt().max() < SPECTRUM_MIX[torch.float32].absolute / 2)


def assert_within(
    actual: Tensor,
    wanted: Tensor,  # float64
    tolerance: Tolerance,
    gain: float = 1.0,  # what the op multiplies pixels with: 1 / std
) -> None:
    """Fail unless every value of `actual` is finite and within the tolerance."""
    assert actual.shape == wanted.shape
    error = (actual.to("cpu", torch.float64) - wanted).abs()
    allowed = tolerance.absolute * gain + tolerance.relative * wanted.abs()
    bad = ~(error <= allowed)  # NaN is bad
    assert not bad.any(), f"{int(bad.sum())} of {bad.numel()} values are off, the worst by {error[bad].max():.3g}"
