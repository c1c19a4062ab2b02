# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy on the unchanged images."""

from dataclasses import dataclass

from visionbias.conditions.clean import CLEAN, Clean
from visionbias.conditions.stimulus import Stimulus
from visionbias.metrics.accuracy import accuracy
from visionbias.probes.registry import Probe, register
from visionbias.records.reader import ModelRecords


@register("accuracy")
@dataclass(frozen=True)
class Accuracy(Probe):
    """Top-1 and top-5 accuracy in [0, 1], with 95 % Wilson intervals."""

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        """The clean image."""
        return (Clean(),)

    def score(self, records: ModelRecords) -> dict[str, float]:
        """Columns `top1`, `top5`, each with `_low` and `_high`."""
        columns: dict[str, float] = {}
        outcomes = {"top1": records.correct([CLEAN])[:, 0], "top5": records.column(CLEAN, "in_top5")}
        for name, correct in outcomes.items():
            result = accuracy(correct)
            columns |= {name: result.accuracy, f"{name}_low": result.interval[0], f"{name}_high": result.interval[1]}
        return columns
