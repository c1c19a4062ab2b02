# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""PGD: accuracy on images that were changed, unseen by people, to deceive the very model that sees them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any, SupportsIndex

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import Stimulus
from visionbias.errors import RunError
from visionbias.metrics.accuracy import accuracy
from visionbias.ops.filter_bank.bands import Band
from visionbias.probes.columns import with_interval
from visionbias.probes.options import band_of, band_options, number
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import ModelRecords

STUDY_STEP = 2 / 255


@register("pgd")
@dataclass(frozen=True)
class PGD(Probe):
    """Accuracy under projected gradient descent in the L-infinity norm, on all frequencies and within bands of them.

    Every image is attacked, also those that a model gets wrong without it, and all are counted. The attack raises the
    cross-entropy of the label among the data's classes: of a label map with several model classes for one, their mean
    probabilities are what is compared, as in the records. Both the attack and the model's answer to it are in float32.
    Models need a gradient. It costs as many passes forward and back as it has steps.

    Args:
        eps: the most that a pixel may change, in units of the [0, 1] pixel scale, in (0, 1].
        steps: of the attack, at least 1.
        step_size: as eps; default eps / 4. See `PGD.study` for the published one.
        random_start: from a random perturbation, a function of the study's seed and the sample id, instead of none.
        bands: a `Band`, or several; in a study file tables such as `{ kind = "bandpass", cutoffs = [0.1, 0.2] }`. For
            each there is one attack more whose perturbation has these frequencies only, at the same eps.

    Raises:
        RunError: an option is not as above, or two bands have one name.
        DataError: a band's cutoff, window or order is not one.

    Source: Madry et al., ICLR 2018; the settings of `study`: Gavrikov & Keuper, CVPR 2024.
    """

    eps: float = 0.5 / 255
    steps: int = 40
    step_size: float | None = None
    random_start: bool = True
    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", _pixel_step("eps", self.eps))
        if self.step_size is not None:
            object.__setattr__(self, "step_size", _pixel_step("step_size", self.step_size))
        if isinstance(self.steps, bool) or not isinstance(self.steps, SupportsIndex) or index(self.steps) < 1:
            raise RunError(f"PGD: steps must be a whole number of at least 1, got {self.steps!r}")
        object.__setattr__(self, "steps", index(self.steps))
        if not isinstance(self.random_start, bool):
            raise RunError(f"PGD: random_start must be True or False, got {self.random_start!r}")
        one = isinstance(self.bands, (Band, Mapping))
        if not one and (isinstance(self.bands, str) or not isinstance(self.bands, Iterable)):
            raise RunError(f"PGD: bands must be one or more Band, got {self.bands!r}; try vb.bandpass(0.1, 0.2)")
        bands = tuple(band_of("PGD: bands", band) for band in ((self.bands,) if one else self.bands))
        if len({band.name for band in bands}) < len(bands) or any(band.offset for band in bands):
            raise RunError(f"PGD: wanted bands of different names and no offset, got {[band.name for band in bands]}")
        object.__setattr__(self, "bands", bands)

    @classmethod
    def study(cls, bands: Band | Iterable[Band] = ()) -> "PGD":
        """The attack of the CVPR 2024 study: 40 steps of 2/255 within 0.5/255, from a random start."""
        return cls(eps=0.5 / 255, steps=40, step_size=STUDY_STEP, random_start=True, bands=bands)  # type: ignore[arg-type]

    def config(self) -> dict[str, Any]:
        """See `Probe.config`."""
        return super().config() | {"bands": [band_options(band) for band in self.bands]}

    @property
    def benchmarks(self) -> Mapping[str, tuple[str, ...]]:
        """See `Probe.benchmarks`."""
        return {"adversarial": ("pgd",)}

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """None: what it shows is made for each model."""
        return ()

    @cached_property
    def attacks(self) -> tuple[Attack, ...]:
        """One on all frequencies, then one a band."""
        step = self.eps / 4 if self.step_size is None else self.step_size
        return tuple(Attack(self.eps, self.steps, step, self.random_start, band) for band in (None, *self.bands))

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `pgd`, the accuracy under attack, with `_low` and `_high` (Wilson) and `pgd_n`, the images attacked.

        For each band also `pgd[<band>]`, with `_low` and `_high`.
        """
        correct = records.correct([attack.condition for attack in self.attacks])
        columns: dict[str, float] = {}
        for attack, hits in zip(self.attacks, correct.T, strict=True):
            result = accuracy(hits)
            name = "pgd" if attack.band is None else f"pgd[{attack.band.name}]"
            columns |= with_interval(name, result.accuracy, result.interval)
            if attack.band is None:
                columns["pgd_n"] = result.n
        return columns


def _pixel_step(name: str, value: Any) -> float:
    step = number(f"PGD: {name}", value)
    if not 1e-6 <= step <= 1.0:
        raise RunError(
            f"PGD: {name} must be in (0, 1] and at least 1e-6, in units of the [0, 1] pixel scale, got {value!r}; "
            f"try {name}=0.5/255"
        )
    return step
