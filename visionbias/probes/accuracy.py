# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy on the unchanged images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visionbias.conditions.clean import CLEAN, Clean
from visionbias.conditions.stimulus import Stimulus
from visionbias.metrics.accuracy import accuracy
from visionbias.probes.columns import with_interval
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import ModelRecords


@register("accuracy")
@dataclass(frozen=True)
class Accuracy(Probe):
    """Top-1 and top-5 accuracy in [0, 1], with 95 % Wilson intervals; in sets with groups also that of each group.

    There is no top-5 accuracy among five classes or fewer, where every answer is in the top five.
    """

    @property
    def benchmarks(self) -> Mapping[str, tuple[str, ...]]:
        """See `Probe.benchmarks`."""
        return {"ID": ("top1",)}

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The clean image."""
        return (Clean(),)

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `top1` and, of more than five classes, `top5`, each with `_low` and `_high`.

        In sets with groups also `top1[<group>]` and `n[<group>]` of each group, and `worst_group_top1`, the lowest of
        them, with the interval of its group.
        """
        columns: dict[str, float] = {}
        correct = records.correct([CLEAN])[:, 0]
        outcomes = {"top1": correct}
        samples = records.samples(CLEAN)
        if len(samples.classes) > 5:
            outcomes["top5"] = records.column(CLEAN, "in_top5")
        groups = samples.column("group")
        of_group = {str(group): correct[groups == group] for group in sorted(set(groups) - {None})}
        if of_group:
            outcomes["worst_group_top1"] = min(of_group.values(), key=np.mean)
        for name, hits in outcomes.items():
            result = accuracy(hits)
            columns |= with_interval(name, result.accuracy, result.interval)
        for group, hits in of_group.items():
            columns |= {f"top1[{group}]": float(hits.mean()), f"n[{group}]": len(hits)}
        return columns
