# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Spectral bias: accuracy as low or high frequencies are taken away."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from visionbias.conditions.clean import CLEAN, Clean
from visionbias.conditions.spectral import STUDY_CUTOFFS, FilteredImages
from visionbias.conditions.stimulus import Stimulus
from visionbias.errors import RunError
from visionbias.metrics.spectral_bias import spectral_bias
from visionbias.ops.filter_bank.bands import Band, highpass, lowpass
from visionbias.probes.columns import with_interval
from visionbias.probes.options import number, numbers
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import ModelRecords


@register("spectral_bias")
@dataclass(frozen=True)
class SpectralBias(Probe):
    """The study's spectral bias: box low- and high-pass at each cutoff, relative to clean accuracy.

    `cutoffs` are fractions of the Nyquist frequency. `offset` is added to high-pass images before they are clipped to
    [0, 1]: 0 is the published definition, which clips half of the signal; 0.5 shows the signed image around mid-grey.

    Raises:
        RunError: there are no cutoffs, or two that have one name, which gives them four digits.
        DataError: a cutoff or the offset is outside [0, 1].

    Source: Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?", CVPR 2024.
    """

    cutoffs: tuple[float, ...] = STUDY_CUTOFFS
    offset: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "cutoffs", numbers("SpectralBias: cutoffs", self.cutoffs))
        object.__setattr__(self, "offset", number("SpectralBias: offset", self.offset))
        low, _ = self._bands
        if not low or len({band.name for band in low}) != len(low):
            raise RunError(
                f"SpectralBias: wanted at least one cutoff and none twice in its first four digits, got {self.cutoffs}"
            )

    @cached_property
    def _bands(self) -> tuple[tuple[Band, ...], tuple[Band, ...]]:
        low = tuple(lowpass(cutoff) for cutoff in self.cutoffs)
        return low, tuple(highpass(cutoff, offset=self.offset) for cutoff in self.cutoffs)

    @property
    def biases(self) -> tuple[str, ...]:
        """See `Probe.biases`."""
        return ("spectral_bias", "lpp", "hpp")

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The clean image and two filtered ones a cutoff."""
        low, high = self._bands
        return (Clean(), FilteredImages((*low, *high)))

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `spectral_bias`, `lpp`, `hpp` with `_low` and `_high`, and `lfc_<cutoff>`, `hfc_<cutoff>`."""
        result = spectral_bias(*self.correct(records), self.cutoffs)
        columns: dict[str, float] = {}
        for name in ("spectral_bias", "lpp", "hpp"):
            columns |= with_interval(name, getattr(result, name), getattr(result, f"{name}_interval"))
        for side, curve in (("lfc", result.lfc), ("hfc", result.hfc)):
            columns |= {f"{side}_{cutoff:.4g}": float(value) for cutoff, value in zip(self.cutoffs, curve, strict=True)}
        return columns

    def correct(self, records: ModelRecords) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether a model is right on the clean images [N], and under low-pass and high-pass at each cutoff [N, F]."""
        low, high = ([band.name for band in bands] for bands in self._bands)
        correct = records.correct([CLEAN, *low, *high])
        f = len(self.cutoffs)
        return correct[:, 0], correct[:, 1 : 1 + f], correct[:, 1 + f :]
