# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Critical band: in which octaves noise disturbs a model, and how little of it does."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from visionbias.conditions.noise_bands import NoiseBands
from visionbias.conditions.stimulus import Stimulus
from visionbias.errors import RunError
from visionbias.metrics.accuracy import accuracy
from visionbias.metrics.channel import Channel, Criterion, channel_fit
from visionbias.metrics.psychometric import psychometric_channel, psychometric_fit
from visionbias.probes.columns import with_interval
from visionbias.probes.options import distinct, number, numbers, whole_numbers
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import IncompleteError, ModelRecords

BANDS = range(7)
NOISE_SDS = (0.02, 0.04, 0.08, 0.16)
LARGEST_SD = 10.0  # that `vb.critical_band` takes


class _FitOptions(TypedDict):
    bands: tuple[int, ...]
    criterion: Criterion
    threshold: float


@register("critical_band")
@dataclass(frozen=True)
class CriticalBand(Probe):
    """Accuracy on grey low-contrast images in noise of one octave, and the channel that it reveals.

    Args:
        bands: octaves of 0 ... 6, where 6 is the finest that the image has; images of less than 160 pixels lack some.
        noise_sds: standard deviations of the noise in units of the [0, 1] pixel scale, up to 10.
        criterion: a band's threshold is where accuracy crosses `threshold` percent ("absolute", as published), or that
            percentage of the accuracy without noise ("relative").
        threshold: see criterion.
        decision: "data", among the classes of the data; or "categories16", among the 16 categories, for models of
            ImageNet's 1000 classes. Then only images of the categories count.
        common_random_numbers: show the same noise field in all bands, filtered, instead of a field for each.

    Raises:
        RunError: an option is not as above.

    Source: Subramanian et al., "Spatial-frequency channels, shape bias, and adversarial robustness", NeurIPS 2023.
    """

    bands: tuple[int, ...] = tuple(BANDS)
    noise_sds: tuple[float, ...] = NOISE_SDS
    criterion: Criterion = "absolute"
    threshold: float = 50.0
    decision: Literal["data", "categories16"] = "data"
    common_random_numbers: bool = False

    def __post_init__(self) -> None:
        bands = whole_numbers("CriticalBand: bands", self.bands)
        sds = numbers("CriticalBand: noise_sds", self.noise_sds)
        object.__setattr__(self, "bands", bands)
        object.__setattr__(self, "noise_sds", sds)
        object.__setattr__(self, "threshold", number("CriticalBand: threshold", self.threshold))
        if len(bands) < 3 or sorted(set(bands)) != list(bands) or not set(bands) <= set(BANDS):
            raise RunError(f"CriticalBand: bands must be three or more of 0 ... 6, rising, got {bands}")
        if not sds or sorted(set(sds)) != list(sds) or not all(0.0 < sd <= LARGEST_SD for sd in sds):
            raise RunError(f"CriticalBand: noise_sds must be in (0, {LARGEST_SD:g}] and rising, got {sds}")
        if not distinct(sds):
            raise RunError(f"CriticalBand: noise_sds must differ in their first four digits, got {sds}")
        if not 0.0 < self.threshold < 100.0:
            raise RunError(f"CriticalBand: threshold must be a percentage between 0 and 100, got {self.threshold}")
        for name, allowed in (("criterion", ("absolute", "relative")), ("decision", ("data", "categories16"))):
            if getattr(self, name) not in allowed:
                raise RunError(f"CriticalBand: {name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        if not isinstance(self.common_random_numbers, bool):
            raise RunError(
                f"CriticalBand: common_random_numbers must be True or False, got {self.common_random_numbers!r}"
            )

    @cached_property
    def _shown(self) -> NoiseBands:
        return NoiseBands(self.bands, self.noise_sds, self.common_random_numbers)

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The low-contrast image, and one noisy image a level and band."""
        return (self._shown,)

    @property
    def biases(self) -> tuple[str, ...]:
        """See `Probe.biases`."""
        return ("channel_bandwidth", "channel_center", "peak_noise_sensitivity")

    @property
    def reads_decision16(self) -> bool:
        """See `Probe.reads_decision16`."""
        return self.decision == "categories16"

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns of two fits, and `low_contrast_accuracy`, that of the images without noise, with `_low` and `_high`.

        The published fit, to compare with published numbers, knows whole noise levels only, see `channel_fit`:
        `critical_band_bandwidth` (octaves), `critical_band_center` (cycles/image), `critical_band_peak_sensitivity`,
        `critical_band_identifiable` (0 or 1). The other has thresholds between the levels, to compare models by, see
        `psychometric_fit`: `channel_bandwidth` (octaves), `channel_center` (cycles/image) and
        `peak_noise_sensitivity`, each with `_low` and `_high`, and `channel_identifiable`.
        """
        correct = self._correct(records)  # [N, 1 + S, B]
        sds = (0.0, *self.noise_sds)
        octave_zero_cpi = self.octave_zero_cpi(records)
        options = self._fit_options
        seen = accuracy(correct[:, 0, 0])
        published = channel_fit(100.0 * correct.mean(axis=0), sds, octave_zero_cpi=octave_zero_cpi, **options)
        columns = {
            **with_interval("low_contrast_accuracy", seen.accuracy, seen.interval),
            "critical_band_bandwidth": abs(published.bandwidth),
            "critical_band_center": published.center_frequency,
            "critical_band_peak_sensitivity": published.peak_noise_sensitivity,
            "critical_band_identifiable": float(published.identifiable),
        }
        fit = psychometric_fit(correct, sds, octave_zero_cpi=octave_zero_cpi, **options)
        columns["channel_identifiable"] = float(fit.identifiable)
        for name, attribute in (
            ("channel_bandwidth", "bandwidth"),
            ("channel_center", "center_frequency"),
            ("peak_noise_sensitivity", "peak_noise_sensitivity"),
        ):
            columns |= with_interval(name, getattr(fit, attribute), getattr(fit, f"{attribute}_interval"))
        return columns

    def octave_zero_cpi(self, records: ModelRecords) -> float:
        """The center of band 0 in cycles/image; that of each further band is twice as high."""
        return records.image_side(self._shown.without_noise) / 2.0 ** (BANDS[-1] + 1)

    def accuracies(self, records: ModelRecords) -> NDArray[np.float64]:
        """Accuracy [1 + S, B] without noise, which counts for every band, then at each level and band."""
        accuracies: NDArray[np.float64] = self._correct(records).mean(axis=0)
        return accuracies

    def channel(self, accuracies: NDArray[np.float64]) -> tuple[NDArray[np.float64], Channel | None]:
        """Thresholds [B] and channel of such accuracies, see `psychometric_channel`."""
        return psychometric_channel(100.0 * accuracies, (0.0, *self.noise_sds), **self._fit_options)

    @property
    def _fit_options(self) -> _FitOptions:
        return {"bands": self.bands, "criterion": self.criterion, "threshold": self.threshold}

    def _correct(self, records: ModelRecords) -> NDArray[np.bool_]:
        """[N, 1 + S, B]; the noise-free condition counts for every band."""
        shown = self._shown
        noisy = [shown.with_noise(sd, band) for sd in self.noise_sds for band in self.bands]
        conditions = [shown.without_noise, *noisy]
        if self.decision == "categories16":
            category = records.samples(shown.without_noise).column("category16")
            scored = np.isfinite(category)
            if not scored.any():
                raise IncompleteError(f"model {records.model!r} has seen no image of the 16 categories yet")
            flat = np.stack([records.column(name, "decision16") == category for name in conditions], axis=1)[scored]
        else:
            flat = records.correct(conditions)
        without = np.repeat(flat[:, :1, None], len(self.bands), axis=2)
        return np.concatenate([without, flat[:, 1:].reshape(-1, len(self.noise_sds), len(self.bands))], axis=1)
