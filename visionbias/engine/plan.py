# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Plan`: what a study amounts to, before it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visionbias.engine.identity import require_same_listing
from visionbias.engine.inputs import batch_sizes, pick_device, shared_preprocessing
from visionbias.engine.run import RECORDS
from visionbias.records.manifest import read_manifest
from visionbias.records.writer import covered
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
                f"{self.models} models x {self.conditions} conditions, {self.images:,} images: {self.units:,} forwards",
                f"done      {self.units_done:,} ({self.units_done / max(self.units, 1):.1%}), left {left:,}",
                f"time      {when}",
                f"disk      {self.cache_bytes / 1e6:,.1f} MB of crops, {self.record_bytes / 1e6:,.1f} MB of records",
                f"memory    {self.stimulus_bytes / 1e6:,.1f} MB of stimuli, besides models and activations",
            ]
        )


def make_plan(study: "Study", folder: Path | None) -> Plan:
    """See `Study.plan`.

    Raises:
        RunError: the folder holds something else than a run of this study.
    """
    manifest = None if folder is None else read_manifest(folder)
    device_type = pick_device("auto").type if study.device == "auto" else str(study.device).partition(":")[0]
    _, batch = batch_sizes(study, device_type)
    if manifest is not None and folder is not None:
        require_same_listing(folder, study, manifest["study"], device_type, batch)
    sessions = manifest["sessions"] if manifest else []
    sizes = {arm.data.name: len(arm.data.samples) for arm in study.arms}
    if manifest:  # a run knows which images cannot be used
        sizes |= {name: described["n"] for name, described in manifest["data_sets"].items()}
    models = len(study.models)
    units = models * sum(len(arm.conditions) * sizes[arm.data.name] for arm in study.arms)
    crop = (shared_preprocessing(study) or Preprocessing()).crop
    pixels = crop * crop * 3
    done = min(_rows_of(study, folder), units) if manifest and folder else 0
    rate = next((s["images_per_s"] for s in reversed(sessions) if s["images_per_s"]), None)  # 0: every model failed
    return Plan(
        models=models,
        conditions=len(study.conditions),
        images=sum(sizes[arm.data.name] for arm in study.arms),
        units=units,
        units_done=done,
        cache_bytes=sum(len(arm.data.samples) for arm in study.arms) * pixels,
        record_bytes=units * _RECORD_BYTES,
        stimulus_bytes=max(len(arm.conditions) for arm in study.arms) * batch * pixels * 4,
        predicted_s=None if rate is None else (units - done) / rate,
    )


def _rows_of(study: "Study", folder: Path) -> int:
    """Records of the study's models and conditions in a run folder."""
    return sum(
        len(rows)
        for model in study.model_ids
        for condition in study.conditions
        for rows in covered(folder / RECORDS, model, condition)
    )
