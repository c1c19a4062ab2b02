# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Bands: names, masks, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

import visionbias as vb
from visionbias.ops.filter_bank.reference import mask as full_mask

NAMES = {
    "lowpass-0.1": vb.lowpass(0.1),
    "lowpass-0.3": vb.lowpass(0.1 + 0.1 + 0.1),
    "lowpass-0.3-disk": vb.lowpass(0.3, "disk"),
    "lowpass-0.25-gaussian": vb.lowpass(0.25, "gaussian"),
    "lowpass-0.25-butterworth2": vb.lowpass(0.25, "butterworth"),
    "lowpass-0.25-butterworth4": vb.lowpass(0.25, window="butterworth", order=4),
    "highpass-0.1": vb.highpass(0.1),
    "highpass-0.1-offset0.5": vb.highpass(0.1, offset=0.5),
    "highpass-0.1-disk-offset0.5": vb.highpass(0.1, "disk", offset=0.5),
    "bandpass-0.1-0.2-disk": vb.bandpass(0.1, 0.2),
    "bandpass-0-1-box": vb.bandpass(0, 1, "box"),
    "octave-3": vb.octave(3),
    "octave--0.5": vb.octave(-0.5),
}


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    assert NAMES[name].name == name


def test_bands_are_values():
    assert vb.lowpass(0.1) == vb.lowpass(0.1)
    assert len({vb.lowpass(0.1), vb.lowpass(0.1, "box"), vb.lowpass(0.2)}) == 2
    assert vb.lowpass(0.2, "butterworth") == vb.lowpass(0.2, "butterworth", 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (8, 8), (9, 7), (12, 15)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_mask_is_the_even_part_of_the_definition(name, size):
    height, width = size
    band = NAMES[name]
    full = full_mask(band, height, width)
    mirrored = full[-np.arange(height) % height][:, -np.arange(width) % width]
    mask = band.mask(height, width)
    assert mask.shape == (height, width // 2 + 1)
    assert mask.dtype == np.float64
    np.testing.assert_allclose(mask, 0.5 * (full + mirrored)[:, : width // 2 + 1], atol=1e-15)


def test_octaves_tile_the_plane():
    total = sum(vb.octave(band).mask(64, 64) for band in range(-1, 7))
    assert total[0, 0] == 0.0
    assert np.array_equal(np.delete(total.ravel(), 0), np.ones(64 * 33 - 1))


def test_octave_is_in_cycles_of_the_shorter_side():
    wide = vb.octave(2).mask(32, 64)  # 4.9 to 9.9 cycles per 32 pixels
    assert wide[:16, 0].nonzero()[0].tolist() == [5, 6, 7, 8, 9]
    assert wide[0].nonzero()[0].tolist() == list(range(10, 20))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vb.lowpass(1.1), r"lowpass: cutoff must be a fraction of the Nyquist frequency in \[0, 1\], got 1.1"),
        (lambda: vb.lowpass(-0.1), "got -0.1"),
        (lambda: vb.highpass(float("nan")), "highpass: cutoff must be .* got nan"),
        (lambda: vb.bandpass(0.1, 2), "bandpass: cutoff must be .* got 2"),
        (lambda: vb.bandpass(0.4, 0.2), "low must be below high, got 0.4 and 0.2; exchange them"),
        (lambda: vb.lowpass(0.1, "hann"), "window must be one of 'box', 'disk', 'gaussian', 'butterworth', got 'hann'"),
        (lambda: vb.lowpass(0.1, order=2), "order is for window='butterworth', got 2 with 'box'"),
        (lambda: vb.lowpass(0.1, "butterworth", 0), "order must be a whole number of at least 1, got 0"),
        (lambda: vb.highpass(0.1, offset=1.5), r"offset must be in \[0, 1\], got 1.5"),
        (lambda: vb.octave(float("inf")), "octave: band must be"),
        (lambda: vb.octave(None), "octave: band must be"),
        (lambda: vb.lowpass("0.1"), r"cutoff must be .* in \[0, 1\], got '0.1'"),
        (lambda: vb.highpass(0.1, offset="a"), r"offset must be in \[0, 1\], got 'a'"),
        (lambda: vb.lowpass(np.array([0.1, 0.2])), r"cutoff must be .* got array"),
        (lambda: vb.highpass(0.1, offset=np.array([0.1, 0.2])), r"offset must be .* got array"),
        (lambda: vb.lowpass(0.1, "butterworth", float("inf")), "order must be a whole number of at least 1, got inf"),
        (lambda: vb.lowpass(0.1, "butterworth", float("nan")), "order must be a whole number of at least 1, got nan"),
        (lambda: vb.lowpass(0.1, "butterworth", [2]), r"order must be a whole number of at least 1, got \[2\]"),
    ],
)
def test_refused(make, message):
    with pytest.raises(vb.DataError, match=message):
        make()


def test_bands_need_no_torch():
    code = "import sys, visionbias as vb; vb.octave(3).mask(8, 8); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
