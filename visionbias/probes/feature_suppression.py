# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Feature suppression: what a model loses when shape, texture or color is taken from the image."""

from dataclasses import dataclass
from functools import cached_property

from visionbias.conditions.clean import CLEAN, Clean
from visionbias.conditions.spectral import FilteredImages
from visionbias.conditions.stimulus import Stimulus
from visionbias.conditions.suppression import Desaturated, ShuffledPatches
from visionbias.errors import RunError
from visionbias.metrics.feature_reliance import feature_reliance
from visionbias.ops.filter_bank.bands import lowpass
from visionbias.probes.columns import with_interval
from visionbias.probes.options import distinct, numbers, whole_numbers
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import ModelRecords


@register("feature_suppression")
@dataclass(frozen=True)
class FeatureSuppression(Probe):
    """Accuracy without shape, without texture and without color, at graded strengths, relative to clean accuracy.

    Args:
        grids: the image is cut into grid x grid blocks that change places, which leaves texture and color. Each must
            divide the side of the crop.
        cutoffs: of a Gaussian low-pass filter, as fractions of the Nyquist frequency, which leaves shape and color.
        strengths: of the move from color to grey, which leaves shape and texture.

    Raises:
        RunError: an option is no sequence of numbers, or one is empty or holds a number twice.
        DataError: a cutoff is outside [0, 1].

    Source: Burgert et al., "ImageNet-trained CNNs are not biased towards texture", NeurIPS 2025.
    """

    grids: tuple[int, ...] = (2, 4, 8)
    cutoffs: tuple[float, ...] = (0.4, 0.2, 0.1)
    strengths: tuple[float, ...] = (0.5, 1.0)

    def __post_init__(self) -> None:
        for name, convert in (("grids", whole_numbers), ("cutoffs", numbers), ("strengths", numbers)):
            values = convert(f"FeatureSuppression: {name}", getattr(self, name))
            object.__setattr__(self, name, values)
            if not values or not distinct(values):
                raise RunError(
                    f"FeatureSuppression: wanted at least one of {name} and none twice in its first four digits, "
                    f"got {values}"
                )
        if min(self.grids) < 1 or not all(0.0 <= strength <= 1.0 for strength in self.strengths):
            raise RunError(
                "FeatureSuppression: grids must be at least 1 and strengths in [0, 1], "
                f"got {self.grids}, {self.strengths}"
            )
        self._shown  # noqa: B018 (cutoffs are checked where bands are made)

    @cached_property
    def _shown(self) -> dict[str, Stimulus]:
        """What is taken away -> how."""
        return {
            "shape": ShuffledPatches(self.grids),
            "texture": FilteredImages(tuple(lowpass(cutoff, "gaussian") for cutoff in self.cutoffs)),
            "color": Desaturated(self.strengths),
        }

    @property
    def biases(self) -> tuple[str, ...]:
        """See `Probe.biases`."""
        return tuple(f"{feature}_reliance" for feature in self._shown)

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The clean image, and each suppression."""
        return (Clean(), *self._shown.values())

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `<feature>_reliance` with `_low` and `_high`, and `without_<feature>_<strength>`, over clean ones."""
        columns: dict[str, float] = {}
        strengths = {"shape": self.grids, "texture": self.cutoffs, "color": self.strengths}
        for feature, shown in self._shown.items():
            correct = records.correct([CLEAN, *shown.conditions])
            result = feature_reliance(correct[:, 0], correct[:, 1:])
            columns |= with_interval(f"{feature}_reliance", result.reliance, result.interval)
            for strength, value in zip(strengths[feature], result.relative_accuracy, strict=True):
                columns[f"without_{feature}_{strength:.4g}"] = float(value)
        return columns
