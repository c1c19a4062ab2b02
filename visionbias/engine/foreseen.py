# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run will do to have the crops of its data sets, before it decodes any."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbias.datasets.base import Dataset
from visionbias.decode.cache import Foreseen, foresee_crops
from visionbias.engine.decoded import distinct_partners
from visionbias.engine.inputs import crop_rule
from visionbias.types import Preprocessing, Sample

if TYPE_CHECKING:
    from visionbias.engine.study import Study


@dataclass(frozen=True)
class Listing:
    """Images of a data set, or their partners, for one preprocessing."""

    data: Dataset
    samples: tuple[Sample, ...]
    rule: Preprocessing  # of the data set: see `crop_rule`
    crops: Foreseen
    again: bool  # a listing before has the same crops

    @property
    def readings(self) -> float:
        """How often each is read while the data set is shown once: partners with all samples that they belong to."""
        return max(1.0, len(self.data.samples) / len(self.samples))


def foresee(study: "Study", rules: Sequence[Preprocessing]) -> tuple[Listing, ...]:
    """All that a study lists, in the order in which a run asks for it; `rules` are what the models see, in theirs.

    Raises:
        BackendError, DataError: see `foresee_crops`.
    """
    listings: list[Listing] = []
    known: dict[Hashable, Foreseen] = {}
    coming = 0
    for data, rule, samples in _asked_for(study, rules):
        files = tuple((sample.id, sample.path) for sample in samples), rule
        again = files in known
        if not again:
            known[files] = crops = foresee_crops(
                samples,
                rule,
                decode=study.decode,
                folder=study.cache,
                cache_bytes=study.cache_bytes,
                coming=coming,
            )
            coming += crops.bytes if crops.kept and not crops.found else 0
        listings.append(Listing(data, samples, rule, known[files], again))
    return tuple(listings)


def _asked_for(
    study: "Study", rules: Sequence[Preprocessing]
) -> Iterator[tuple[Dataset, Preprocessing, tuple[Sample, ...]]]:
    for arm in study.arms:
        for rule in dict.fromkeys(crop_rule(arm.data, rule) for rule in rules):
            yield arm.data, rule, tuple(arm.data.samples)
            if arm.data.partners:
                yield arm.data, rule, distinct_partners(arm.data)
