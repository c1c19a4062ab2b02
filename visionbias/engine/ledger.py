# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which parts of a study a run folder holds already."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionbias.records.writer import covered


class Ledger:
    """Done or missing, for every (model, condition, block of samples)."""

    def __init__(self, folder: Path, models: Iterable[str], conditions: Iterable[str], n: int, block: int) -> None:
        self._n, self._block = n, block
        conditions = tuple(conditions)
        self._done = {
            (model, condition): self._blocks(covered(folder, model, condition))
            for model in models
            for condition in conditions
        }

    def has(self, model: str, condition: str, block: int) -> bool:
        """Whether the records of a block exist."""
        return bool(self._done[model, condition][block])

    def missing_rows(self, blocks: range) -> int:
        """Records still to make in the given blocks, over all models and conditions."""
        sizes = self._sizes(blocks)
        return int(sum(sizes[~done[blocks.start : blocks.stop]].sum() for done in self._done.values()))

    def total_rows(self, blocks: range) -> int:
        """Records of the given blocks, made or not, over all models and conditions."""
        return int(self._sizes(blocks).sum()) * len(self._done)

    def _sizes(self, blocks: range) -> NDArray[np.int64]:
        return np.minimum(self._block, self._n - np.arange(blocks.start, blocks.stop) * self._block)

    def _blocks(self, ranges: list[range]) -> NDArray[np.bool_]:
        rows = np.zeros(self._n, dtype=bool)
        for covered_rows in ranges:
            rows[covered_rows.start : covered_rows.stop] = True
        return np.logical_and.reduceat(rows, np.arange(0, self._n, self._block))
