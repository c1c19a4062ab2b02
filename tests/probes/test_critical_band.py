# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of the critical-band probe, from correctness that is made up."""

import numpy as np
import pytest

import visionbias as vb
from visionbias.metrics import channel_fit

BANDS, SDS = (2, 3, 4, 5, 6), (0.02, 0.04, 0.08, 0.16)


class Records:
    """What the probe asks of records: a model whose accuracy falls most in noise of band 4."""

    def __init__(self, side: int) -> None:
        self.side = side
        octaves = np.array([3.0, 2.0, 1.0, 0.0])  # below the strongest noise
        stands = np.array([0.5, 1.6, 2.5, 1.6, 0.5])  # thresholds of the bands
        p = np.clip(0.5 + (octaves[:, None] - stands) / 3, 0, 1)
        flat = np.concatenate([[1.0], p.ravel()])
        self.outcomes = np.random.default_rng(0).random((400, len(flat))) < flat

    def image_side(self, condition: str) -> int:
        return self.side

    def correct(self, conditions: list[str]) -> np.ndarray:
        assert conditions[:2] == ["low-contrast", "noise-0.02-band-2"]
        assert conditions[-1] == "noise-0.16-band-6"
        return self.outcomes


@pytest.mark.parametrize("side", [48, 224])
def test_frequencies_are_those_of_the_image_s_size(side: int) -> None:
    """The finest band is centered at the Nyquist frequency, half of the side."""
    columns = vb.CriticalBand(bands=BANDS).score(Records(side))  # type: ignore[arg-type]
    assert columns["critical_band_identifiable"] == 1
    assert columns["channel_center"] == pytest.approx(side / 2 / 4, rel=0.15)  # band 4: two octaves below the finest
    assert columns["channel_center_low"] < columns["channel_center"] < columns["channel_center_high"]
    assert columns["channel_identifiable"] == 1
    assert 0.98 < columns["low_contrast_accuracy_low"] < columns["low_contrast_accuracy"] == 1


def test_strengths_are_those_that_the_op_takes() -> None:
    from visionbias.ops.band_noise.function import LARGEST_SD

    assert vb.CriticalBand(noise_sds=(LARGEST_SD,)).noise_sds == (LARGEST_SD,)
    with pytest.raises(vb.RunError, match="noise_sds"):
        vb.CriticalBand(noise_sds=(np.nextafter(LARGEST_SD, 11),))


def test_columns_are_those_of_the_published_fit() -> None:
    records = Records(224)
    accuracy = 100 * records.outcomes.mean(axis=0)
    rows = np.vstack([np.full(5, accuracy[0]), accuracy[1:].reshape(4, 5)])
    fit = channel_fit(rows, (0.0, *SDS), bands=BANDS)
    columns = vb.CriticalBand(bands=BANDS).score(records)  # type: ignore[arg-type]
    assert columns["critical_band_center"] == fit.center_frequency
    assert columns["critical_band_bandwidth"] == abs(fit.bandwidth)
    assert columns["critical_band_peak_sensitivity"] == fit.peak_noise_sensitivity
