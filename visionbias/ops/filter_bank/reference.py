# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank: the definition, in float64. The box is the published mask, which is not even; hence the real part.

x [N, C, H, W] in [0, 1] -> (clip(real(ifft2(fft2(x) M_f)) + offset_f) - mean) / std, [F, N, C, H, W]
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionbias.ops.filter_bank.bands import Band

Array = NDArray[np.float64]


def filter_bank(
    x: Array,  # [N, C, H, W]
    bands: Sequence[Band],  # F of them
    mean: Array,  # [C]
    std: Array,  # [C]
) -> Array:
    """Clipped and normalized images [F, N, C, H, W]."""
    spectrum = np.fft.fft2(x)
    filtered = [np.fft.ifft2(spectrum * mask(band, *x.shape[-2:])).real + band.offset for band in bands]
    return (np.clip(filtered, 0.0, 1.0) - mean[:, None, None]) / std[:, None, None]


def mask(band: Band, height: int, width: int) -> Array:
    """M on the full plane [H, W], zero frequency at [0, 0]."""
    ky = np.fft.fftfreq(height, 1 / height).round()[:, None]
    kx = np.fft.fftfreq(width, 1 / width).round()[None, :]
    rho = np.sqrt((2.0 * ky / height) ** 2 + (2.0 * kx / width) ** 2)

    def low(cutoff: float) -> Array:
        if band.window == "box":
            ry, rx = int(cutoff * (height // 2)), int(cutoff * (width // 2))
            inside = (ky >= -ry) & (ky < ry) & (kx >= -rx) & (kx < rx)
            return np.asarray(inside, dtype=np.float64)
        if band.window == "disk" or cutoff == 0.0:
            return np.asarray(rho <= cutoff, dtype=np.float64)
        with np.errstate(over="ignore"):
            if band.window == "gaussian":
                return np.asarray(np.exp(-0.5 * (rho / cutoff) ** 2))
            return np.asarray(1.0 / (1.0 + (rho / cutoff) ** (2 * (band.order or 2))))

    if band.kind == "lowpass":
        return low(band.cutoffs[0])
    if band.kind == "highpass":
        return 1.0 - low(1.0 - band.cutoffs[0])
    if band.kind == "bandpass":
        return low(band.cutoffs[1]) - low(band.cutoffs[0])
    cycles = rho / 2.0 * min(height, width)
    octaves = np.log2(np.maximum(cycles, 1e-9) / 1.75) - band.cutoffs[0]
    return np.asarray((octaves >= -0.5) & (octaves < 0.5), dtype=np.float64)
