# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix: the definitions, in float64, on half planes X = rfft2(x) [..., H, W // 2 + 1].

Every function returns images [..., H, W] before the clip.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

# No bin below this has a phase: float32 could not hold the square, nor divide by it.
FAINTEST = 1e-10
_EPSILON = 2.0**-23  # of float32


def rounding(height: int, width: int) -> float:
    """The part of an image's norm below which a bin is rounding of a float32 transform, and its phase is of nothing."""
    return _EPSILON * math.sqrt(height * width)


def phase_swap(shape: Array, texture: Array) -> Array:
    """Phase of `shape`, amplitude of `texture`; where `shape` has no phase the texture's bin passes."""
    own, other = np.fft.rfft2(shape), np.fft.rfft2(texture)
    return _image(np.where(_has_phase(own, shape), _phasor(own) * np.abs(other), other), shape)


def random_phase(x: Array, noise: Array) -> Array:
    """Amplitude of x, phase of white noise [..., H, W]; the mean of x stays."""
    spectrum = np.fft.rfft2(x)
    mixed = np.abs(spectrum) * _phasor(np.fft.rfft2(noise))
    mixed[..., 0, 0] = spectrum[..., 0, 0]
    return _image(mixed, x)


def phase_noise(x: Array, uniforms: Array, width: float) -> Array:
    """x with up to `width` degrees added to its phase: uniforms [H, W // 2 + 1] in (0, 1), 1/2 for none."""
    angle = np.deg2rad(width) * antisymmetric(2 * uniforms - 1, x.shape[-1])
    return _image(np.fft.rfft2(x) * np.exp(1j * angle), x)


def power_equalize(x: Array, amplitude: Array) -> Array:
    """Phase of x, amplitude [H, W // 2 + 1] as given; phase 0 where x has none."""
    spectrum = np.fft.rfft2(x)
    phasor: Spectrum = np.where(_has_phase(spectrum, x), _phasor(spectrum), 1.0)
    return _image(phasor * amplitude, x)


def antisymmetric(values: Array, width: int) -> Array:  # [H, W // 2 + 1]
    """The half plane of an odd function: columns that are their own mirror image take their first rows, negated."""
    odd = values.copy()
    height = len(values)
    for column in {0} | ({width // 2} if width % 2 == 0 else set()):
        odd[0, column] = 0.0
        for row in range(1, height):
            if 2 * row == height:
                odd[row, column] = 0.0
            elif 2 * row > height:
                odd[row, column] = -values[height - row, column]
    return odd


def _phasor(spectrum: Spectrum) -> Spectrum:
    size = np.abs(spectrum)
    return np.divide(spectrum, size, out=np.ones_like(spectrum), where=size > 0)


def _has_phase(spectrum: Spectrum, x: Array) -> NDArray[np.bool_]:
    norm: Array = np.sqrt(np.square(x).sum((-2, -1), keepdims=True))
    return np.abs(spectrum) > np.maximum(rounding(*x.shape[-2:]) * norm, FAINTEST)


def _image(spectrum: Spectrum, like: Array) -> Array:
    return np.fft.irfft2(spectrum, s=like.shape[-2:])
