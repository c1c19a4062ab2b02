# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Bands of spatial frequency, by name and as real even masks."""

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, Literal, get_args

from visionbias.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Window = Literal["box", "disk", "gaussian", "butterworth"]
Kind = Literal["lowpass", "highpass", "bandpass", "octave"]

WINDOWS: tuple[Window, ...] = get_args(Window)
BUTTERWORTH_ORDER = 2
OCTAVE_ZERO_CPI = 1.75  # center of octave 0 in cycles/image, as in critical-band masking


@dataclass(frozen=True, slots=True)
class Band:
    """A band of spatial frequencies. Make one with `lowpass`, `highpass`, `bandpass` or `octave`."""

    kind: Kind
    cutoffs: tuple[float, ...]  # fractions of the Nyquist frequency; for an octave its number
    window: Window = "box"
    order: int | None = None  # of a Butterworth window
    offset: float = 0.0  # intensity added before the clip to [0, 1]

    @property
    def name(self) -> str:
        """Stable condition id, such as "lowpass-0.1", "highpass-0.1-offset0.5" or "bandpass-0.1-0.2-disk"."""
        parts = [self.kind, *(f"{cutoff:.4g}" for cutoff in self.cutoffs)]
        if self.kind == "bandpass" or (self.kind != "octave" and self.window != "box"):
            parts.append(f"{self.window}{self.order or ''}")
        if self.offset:
            parts.append(f"offset{self.offset:.4g}")
        return "-".join(parts)

    @property
    def complement(self) -> bool:
        """Whether the band is all that its `inner_mask` removes."""
        return self.kind == "highpass"

    def mask(self, height: int, width: int) -> "NDArray[np.float64]":
        """Real even mask on the `rfft2` half-plane, float64 [H, W // 2 + 1]; row ky, column kx, zero at [0, 0]."""
        inner = self.inner_mask(height, width)
        return 1.0 - inner if self.complement else inner

    def inner_mask(self, height: int, width: int) -> "NDArray[np.float64]":
        """`mask`, or for a high-pass band what it takes away; bands of equal inner masks share an inverse transform."""
        if self.kind == "octave":
            return _octave(self.cutoffs[0], height, width)
        if self.kind == "bandpass":
            low, high = self.cutoffs
            return self._low(high, height, width) - self._low(low, height, width)
        cutoff = self.cutoffs[0]
        return self._low(1.0 - cutoff if self.complement else cutoff, height, width)

    def _low(self, cutoff: float, height: int, width: int) -> "NDArray[np.float64]":
        import numpy as np

        if self.window == "box":
            return _box(cutoff, height, width)
        fy, fx = _frequencies(height, width)
        rho = np.sqrt((2.0 * fy) ** 2 + (2.0 * fx) ** 2)
        if self.window == "disk":
            return np.asarray(rho <= cutoff, dtype=np.float64)
        if cutoff == 0.0:  # the limit of both formulas: the mean alone
            return np.asarray(rho == 0.0, dtype=np.float64)
        with np.errstate(over="ignore"):  # infinity is right: nothing of that frequency is kept
            if self.window == "gaussian":
                return np.asarray(np.exp(-0.5 * (rho / cutoff) ** 2))
            return np.asarray(1.0 / (1.0 + (rho / cutoff) ** (2 * (self.order or BUTTERWORTH_ORDER))))


def lowpass(cutoff: float, window: Window = "box", order: int | None = None) -> Band:
    """Frequencies below `cutoff`, a fraction of the Nyquist frequency in [0, 1].

    Windows, with rho the radial frequency over Nyquist, sqrt((2 ky / H)^2 + (2 kx / W)^2):
      box          the study's rectangle: ky, kx in [-r, r - 1] with r = int(cutoff * (size // 2)) on each axis, real
                   part of the result; nothing at all where r = 0
      disk         rho <= cutoff
      gaussian     exp(-rho^2 / (2 cutoff^2)); the cutoff is the standard deviation
      butterworth  1 / (1 + (rho / cutoff)^(2 order)), order 2 unless given

    Raises:
        DataError: a cutoff outside [0, 1], an unknown window, or an order that is not one.

    Source: Gavrikov & Keuper, CVPR 2024 (box); Gonzalez & Woods, Digital Image Processing, chapter 4 (the others).
    """
    return Band("lowpass", (_cutoff("lowpass", cutoff),), *_window("lowpass", window, order))


def highpass(cutoff: float, window: Window = "box", order: int | None = None, offset: float = 0.0) -> Band:
    """The top fraction `cutoff` of frequencies: for every window exactly what `lowpass(1 - cutoff)` takes away.

    High-pass images have zero mean, so the clip to [0, 1] removes half of them, as published. `offset` is added before
    the clip; 0.5 shows the signed image around mid-grey.

    Raises:
        DataError: as `lowpass`, and for an offset outside [0, 1].
    """
    if not 0.0 <= _float(offset) <= 1.0:
        raise DataError(f"highpass: offset must be in [0, 1], got {offset!r}; 0.5 is mid-grey")
    return Band("highpass", (_cutoff("highpass", cutoff),), *_window("highpass", window, order), float(offset))


def bandpass(low: float, high: float, window: Window = "disk", order: int | None = None) -> Band:
    """Frequencies between two cutoffs: `lowpass(high)` minus `lowpass(low)` before the clip.

    Raises:
        DataError: as `lowpass`, and unless low < high.
    """
    cutoffs = _cutoff("bandpass", low), _cutoff("bandpass", high)
    if not low < high:
        raise DataError(f"bandpass: low must be below high, got {low} and {high}; exchange them")
    return Band("bandpass", cutoffs, *_window("bandpass", window, order))


def octave(band: float) -> Band:
    """Radial frequencies in [1.75 * 2^(band - 1/2), 1.75 * 2^(band + 1/2)) cycles per shorter side of the image.

    Integers 0 to 6 are the channel centers of critical-band masking at 224 pixels.

    Raises:
        DataError: `band` is not finite.

    Source: Subramanian, Sizikova, Majaj & Pelli, NeurIPS 2023.
    """
    if not -64 <= _float(band) <= 64:
        raise DataError(f"octave: band must be in octaves above {OCTAVE_ZERO_CPI} cycles/image, got {band!r}")
    return Band("octave", (float(band),))


def _cutoff(function: str, cutoff: float) -> float:
    if not 0.0 <= _float(cutoff) <= 1.0:
        raise DataError(f"{function}: cutoff must be a fraction of the Nyquist frequency in [0, 1], got {cutoff!r}")
    return float(cutoff)


def _float(value: Any) -> float:
    """The value as a float, NaN if it is no number."""
    try:
        return nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return nan


def _window(function: str, window: Window, order: int | None) -> tuple[Window, int | None]:
    if window not in WINDOWS:
        raise DataError(f"{function}: window must be one of {', '.join(map(repr, WINDOWS))}, got {window!r}")
    if window != "butterworth":
        if order is not None:
            raise DataError(f"{function}: order is for window='butterworth', got {order} with {window!r}")
        return window, None
    order = BUTTERWORTH_ORDER if order is None else order
    if not _float(order).is_integer() or order < 1:
        raise DataError(f"{function}: order must be a whole number of at least 1, got {order!r}")
    return window, int(order)


def _frequencies(height: int, width: int) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Signed cycles/pixel of the half-plane's rows [H, 1] and columns [1, W // 2 + 1]."""
    # k / size rounds once, as a cutoff written as a fraction does; np.fft.fftfreq's k * (1 / size) can miss a tie.
    return _signed(height)[:, None] / height, _signed(width)[None, : width // 2 + 1] / width


def _signed(size: int) -> "NDArray[np.float64]":
    """Frequency index k of each FFT bin, negative in the upper half, [size]."""
    import numpy as np

    index = np.arange(size, dtype=np.float64)
    return np.where(index < (size + 1) // 2, index, index - size)


def _box(cutoff: float, height: int, width: int) -> "NDArray[np.float64]":
    """The published rectangle M, made even: (M(k) + M(-k)) / 2."""
    import numpy as np

    def edges(size: int) -> "tuple[NDArray[np.bool_], NDArray[np.bool_]]":
        k, radius = _signed(size), int(cutoff * (size // 2))
        inside = (k >= -radius) & (k < radius)
        return inside, inside[-np.arange(size) % size]

    rows, rows_mirrored = edges(height)
    columns, columns_mirrored = (side[: width // 2 + 1] for side in edges(width))
    return np.asarray(0.5 * (np.outer(rows, columns).astype(np.float64) + np.outer(rows_mirrored, columns_mirrored)))


def _octave(band: float, height: int, width: int) -> "NDArray[np.float64]":
    import numpy as np

    fy, fx = _frequencies(height, width)
    cycles = np.sqrt(fy**2 + fx**2) * min(height, width)
    low, high = OCTAVE_ZERO_CPI * 2.0 ** (band - 0.5), OCTAVE_ZERO_CPI * 2.0 ** (band + 0.5)
    return np.asarray((cycles >= low) & (cycles < high), dtype=np.float64)
