# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Collects the rows of a running study and saves them: often, so that a kill loses little, yet at little cost."""

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from visionbias.records.writer import write_records

# A save may take at most this share of the time between saves.
_SAVING_SHARE = 0.02
_MAX_BUFFERED_ROWS = 4_000_000


class RecordSink:
    """Buffers rows a (model, condition) and writes each contiguous stretch of samples as one file.

    It saves between two batches of forward passes, whatever model and condition they are of, so a kill costs no more
    than the interval. The many small files that this makes grow together, see `write_records`.
    """

    def __init__(self, folder: Path, interval_s: float) -> None:
        self._folder = folder
        self._interval_s = interval_s
        self._first_row = 0
        self._stretches: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        self._rows = 0
        self._saved_at = time.monotonic()
        self._save_took_s = 0.0

    def begin(self, first_row: int) -> None:
        """Save what there is; rows from `first_row` of the next data set follow, which no other process writes."""
        self.save()
        self._first_row = first_row

    def add(self, model: str, condition: str, start: int, columns: dict[str, Any]) -> None:
        """Take the rows of samples `start`, `start + 1` ...; columns are [N] arrays. Saves if it is time.

        Raises:
            RunError: see `save`.
        """
        self._stretches[model, condition].append((start, columns))
        self._rows += len(columns["sample_id"])
        pause_s = max(self._interval_s, self._save_took_s / _SAVING_SHARE)
        if time.monotonic() - self._saved_at >= pause_s or self._rows >= _MAX_BUFFERED_ROWS:
            self.save()

    def save(self) -> None:
        """Write everything that is buffered.

        Raises:
            RunError: a file cannot be written; what was written stays, the rest is dropped.
        """
        began = time.monotonic()
        pending, self._stretches, self._rows = self._stretches, defaultdict(list), 0
        for (model, condition), pieces in pending.items():
            for start, columns in _joined(pieces):
                write_records(self._folder, model, condition, start, columns, absorb_from=self._first_row)
        self._saved_at = time.monotonic()
        self._save_took_s = self._saved_at - began


def _joined(pieces: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """Merge pieces that follow one another without a gap."""
    groups: list[list[tuple[int, dict[str, Any]]]] = []
    end = -1
    for start, columns in sorted(pieces, key=lambda piece: piece[0]):
        if start != end:
            groups.append([])
        groups[-1].append((start, columns))
        end = start + len(columns["sample_id"])
    return [
        (group[0][0], {name: np.concatenate([columns[name] for _, columns in group]) for name in group[0][1]})
        for group in groups
    ]
