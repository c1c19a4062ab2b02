# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Plan`: what a study amounts to, before it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbias.engine.ahead import turns
from visionbias.engine.batches import batch_sizes, batch_that_fits
from visionbias.engine.calibration import Prediction, predict
from visionbias.engine.decoder import check_gpu_decoder
from visionbias.engine.foreseen import Listing, foresee
from visionbias.engine.identity import identity_before_reading
from visionbias.engine.inputs import pick_device, shared_preprocessing
from visionbias.engine.run_folder import require_same
from visionbias.errors import DataError
from visionbias.models.catalog import weights_state
from visionbias.records.files import RECORDS
from visionbias.records.manifest import read_manifest
from visionbias.records.writer import count_rows
from visionbias.runtime.progress import percent
from visionbias.types import Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_RECORD_BYTES = 16  # a row of a record file on disk, compressed


@dataclass(frozen=True)
class PlannedSet:
    """One data set of a study."""

    name: str
    conditions: int
    images: int


@dataclass(frozen=True)
class Plan:
    """Size of a study and the state of its run folder."""

    models: int
    data_sets: tuple[PlannedSet, ...]
    units: int  # forward passes: models x conditions x images, over all data sets
    units_done: int  # of them, in the run folder already
    gradients: int  # passes forward and back besides, for attacks on the models: as many as an attack has steps
    kept_bytes: int  # decoded crops on disk, in the cache or to be written to it
    streamed_bytes: int  # crops that it has no room for, and are decoded whenever they are read
    record_bytes: int  # record files on disk, about
    stimulus_bytes: int  # memory that the stimuli of a batch take on the device, on a GPU those of the next one too
    prediction: Prediction | None  # measured for this plan, unless nothing is left or a session of the folder has ended
    last_rate: float | None  # forward passes a second in the folder's last session
    absent: tuple[str, ...]  # models whose weights are not on this machine, and would be downloaded
    # The folder holds a run; it is of this study as far as that shows before weights and images are read.
    compared: bool

    @property
    def predicted_s(self) -> float:
        """Time for what is left: at the rate of the folder's last session, else as measured for this plan."""
        if self.prediction is not None:
            return self.prediction.total_s
        return 0.0 if self.last_rate is None else (self.units - self.units_done) / self.last_rate

    @property
    def conditions(self) -> int:
        """Over all data sets."""
        return sum(planned.conditions for planned in self.data_sets)

    @property
    def images(self) -> int:
        """Over all data sets."""
        return sum(planned.images for planned in self.data_sets)

    def __str__(self) -> str:
        """A few lines for people."""
        left = self.units - self.units_done
        models = _counted(self.models, "model")
        lines = [
            f"{planned.name}: {models} x {_counted(planned.conditions, 'condition')} x "
            f"{_counted(planned.images, 'image')} = "
            f"{_counted(self.models * planned.conditions * planned.images, 'forward pass', 'es')}"
            for planned in self.data_sets
        ]
        if len(lines) > 1:
            lines.append(f"in all    {_counted(self.units, 'forward pass', 'es')}")
        if self.gradients:
            lines.append(f"attacks   {_counted(self.gradients, 'pass', 'es')} forward and back besides")
        lines += [
            f"done      {self.units_done:,} ({percent(self.units_done, self.units)}), left {left:,}",
            f"time      {self._time(left)}",
            f"disk      {self.kept_bytes / 1e6:,.1f} MB of crops{self._streamed()}, "
            f"{self.record_bytes / 1e6:,.1f} MB of records",
            f"memory    {self.stimulus_bytes / 1e6:,.1f} MB of stimuli, {self._of_models()}",
        ]
        if self.absent:
            lines.append(f"download  weights of {', '.join(self.absent)}")
        if self.compared:
            lines.append("the folder holds this study; weights and images are compared when it runs")
        return "\n".join(lines)

    def _time(self, left: int) -> str:
        if not left:
            return "nothing is left to do"
        if self.prediction is not None:
            return str(self.prediction)
        return f"about {self.predicted_s:,.0f} s at the rate of the last session"

    def _streamed(self) -> str:
        if not self.streamed_bytes:
            return ""
        return f" ({self.streamed_bytes / 1e6:,.1f} MB more are not written, but decoded whenever they are read)"

    def _of_models(self) -> str:
        if self.prediction is None:
            return "besides models and activations"
        p = self.prediction
        grouped = f" (models in {p.model_groups} groups)" if p.model_groups > 1 else ""
        return f"{p.weight_bytes / 1e6:,.1f} MB of weights{grouped}, {p.activation_bytes / 1e6:,.1f} MB of activations"


def make_plan(study: "Study", folder: Path | None) -> Plan:
    """See `Study.plan`.

    Raises:
        RunError: the folder holds something else than a run of this study, or a batch does not fit in memory.
        BackendError: the run was begun with a decoder that is not here, or the device is not here.
        CheckpointError, DataError: see `predict` and `foresee`.
    """
    manifest = None if folder is None else read_manifest(folder)
    device_type = pick_device("auto").type if study.device == "auto" else str(study.device).partition(":")[0]
    found = None if manifest is None else manifest["study"]
    batch_size, forward_batch = batch_sizes(study, device_type, found)
    sizes = {arm.data.name: len(arm.data.samples) for arm in study.arms}
    rate, done = None, 0
    if manifest is not None and found is not None and folder is not None:
        require_same(folder, identity_before_reading(study, device_type, found, folder), found)
        # A run knows which images cannot be used.
        sizes |= {name: described["n"] for name, described in manifest["data_sets"].items()}
        done = count_rows(folder / RECORDS, study.model_ids, study.conditions)
        rate = _rate(manifest)
    units = len(study.models) * sum(len(arm.conditions) * sizes[arm.data.name] for arm in study.arms)
    prediction = None
    if units > done and rate is None:
        begun = None if found is None else found["models"]
        device = pick_device(study.device)
        check_gpu_decoder(study, found, device)

        def time_steps(batch: int) -> Prediction:
            return predict(study, device, (batch_size, batch), sizes, begun, left=1 - done / units)

        prediction, forward_batch = batch_that_fits(time_steps, study, found, forward_batch)
    rules = prediction.rules if prediction is not None else _rules(study, manifest)
    listings = prediction.listings if prediction is not None else _foreseen(study, rules, wanted=units > done)
    distinct = [listing.crops for listing in listings if not listing.again]
    pixels = 3 * max(rule.crop for rule in rules) ** 2
    return Plan(
        models=len(study.models),
        data_sets=tuple(PlannedSet(a.data.name, len(a.conditions), sizes[a.data.name]) for a in study.arms),
        units=units,
        units_done=done,
        gradients=len(study.models)
        * sum(attack.steps * sizes[arm.data.name] for arm in study.arms for attack in arm.attacks),
        kept_bytes=sum(crops.bytes for crops in distinct if crops.kept),
        streamed_bytes=sum(crops.bytes for crops in distinct if not crops.kept),
        record_bytes=units * _RECORD_BYTES,
        stimulus_bytes=max(arm.shown_at_once for arm in study.arms) * turns(device_type) * forward_batch * pixels * 4,
        prediction=prediction,
        last_rate=rate,
        absent=_absent(study) if units > done else (),
        compared=manifest is not None,
    )


def _foreseen(study: "Study", rules: Sequence[Preprocessing], wanted: bool) -> tuple[Listing, ...]:
    """What becomes of the crops, if any are `wanted`; for a run that is done nothing is refused."""
    try:
        return foresee(study, rules)
    except DataError:
        if wanted:
            raise
        return ()


def _rules(study: "Study", manifest: Mapping[str, Any] | None) -> tuple[Preprocessing, ...]:
    """What the models see, each once; of a run that was begun where each has its own."""
    shared = shared_preprocessing(study)
    if shared is not None or manifest is None:
        return (shared or Preprocessing(),)
    names = [arm.data.name for arm in study.arms if not arm.data.precropped] or [arm.data.name for arm in study.arms]
    views = [view for name in names for view in manifest["study"]["data"][name]["models"].values()]
    return tuple(dict.fromkeys(Preprocessing(**view["preprocessing"]) for view in views))


def _absent(study: "Study") -> tuple[str, ...]:
    entries = zip(study.model_ids, study.models, strict=True)
    return tuple(name for name, entry in entries if isinstance(entry, str) and weights_state(entry) != "cached")


def _rate(manifest: Mapping[str, Any]) -> float | None:
    """Forward passes a second in the last session that made any."""
    return next((s["images_per_s"] for s in reversed(manifest["sessions"]) if s["images_per_s"]), None)


def _counted(n: int, noun: str, plural: str = "s") -> str:
    return f"{n:,} {noun}{'' if n == 1 else plural}"
