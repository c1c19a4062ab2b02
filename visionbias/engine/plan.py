# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Plan`: what a study amounts to, before it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visionbias.engine.run import RECORDS, Run
from visionbias.records.manifest import read_manifest
from visionbias.records.reader import open_records
from visionbias.types import Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_RECORD_BYTES = 16  # a row of a record file on disk, compressed


@dataclass(frozen=True)
class Plan:
    """Size of a study and the state of its run folder."""

    models: int
    conditions: int
    images: int
    units: int  # forwards: models x conditions x images
    units_done: int  # of them, in the run folder already
    cache_bytes: int  # decoded crops on disk
    record_bytes: int  # record files on disk, about
    stimulus_bytes: int  # memory that one batch of stimuli takes on the device
    predicted_s: float | None  # time for what is left at the rate of the folder's last session; None before the first

    def __str__(self) -> str:
        """A few lines for people."""
        left = self.units - self.units_done
        when = "not known before the first session" if self.predicted_s is None else f"about {self.predicted_s:,.0f} s"
        return "\n".join(
            [
                f"{self.models} models x {self.conditions} conditions x {self.images} images = {self.units:,} forwards",
                f"done      {self.units_done:,} ({self.units_done / max(self.units, 1):.1%}), left {left:,}",
                f"time      {when}",
                f"disk      {self.cache_bytes / 1e6:,.1f} MB of crops, {self.record_bytes / 1e6:,.1f} MB of records",
                f"memory    {self.stimulus_bytes / 1e6:,.1f} MB of stimuli, besides models and activations",
            ]
        )


def make_plan(study: "Study", folder: Path | None) -> Plan:
    """See `Study.plan`."""
    images, conditions, models = len(study.data.samples), len(study.conditions), len(study.models)
    crop = study.preprocessing.crop if isinstance(study.preprocessing, Preprocessing) else Preprocessing().crop
    batch = study.forward_batch if study.forward_batch != "auto" else 256 if study.device.startswith("cuda") else 32
    units, pixels = models * conditions * images, crop * crop * 3
    done, rate = (0, None) if folder is None else _progress_of(folder)
    return Plan(
        models=models,
        conditions=conditions,
        images=images,
        units=units,
        units_done=min(done, units),
        cache_bytes=images * pixels,
        record_bytes=units * _RECORD_BYTES,
        stimulus_bytes=conditions * batch * pixels * 4,
        predicted_s=None if rate is None else (units - min(done, units)) / rate,
    )


def _progress_of(folder: Path) -> tuple[int, float | None]:
    """Rows in a run folder, and images/s of its last session."""
    manifest = read_manifest(folder)
    if manifest is None:
        return 0, None
    sessions = Run(folder, manifest).manifest["sessions"]
    rows = open_records(folder / RECORDS).count_rows() if (folder / RECORDS).exists() else 0
    return rows, sessions[-1]["images_per_s"] if sessions else None
