# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Study`: what is measured, on which images, for which models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from visionbias.datasets.base import Dataset
from visionbias.decode.choice import DECODES, Decode
from visionbias.decode.room import CacheBytes
from visionbias.engine.arguments import data_set, folder_of, one_of, whole_number
from visionbias.engine.arms import arms_of
from visionbias.errors import RunError
from visionbias.models.resolve import expanded, model_ids
from visionbias.probes.registry import Probe, require_probe
from visionbias.records.schema import check_names
from visionbias.types import Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.plan import Plan
    from visionbias.engine.run import Run


class Study:
    """Models, images and probes, and how they meet. Nothing is loaded before `run`.

    Args:
        models: each `"timm:<name>"`, `"torchvision:<name>"`, `"study:<name>"` (a checkpoint of the CVPR 2024 study, or
            several by a pattern: `"study:*"`), a `Checkpoint`, or `(id, nn.Module or callable)`.
        data: a data set (`ImageFolder`, `CsvManifest`, `CueConflictFolder` ...); a path means `ImageFolder(path)`.
        probes: the measurements, at most one of each kind. Some bring images of their own.
        preprocessing: `"study"` (short side to 256, central 224, each model's own mean and std), `"model"` (each
            model's own data configuration), or a `Preprocessing`.
        device: `"auto"` (CUDA where present), `"cpu"`, `"cuda"`, `"cuda:1"` ...
        precision: `"fp32"`: every model runs in float32 as it is. `"auto"`: a module with enough to do for it to pay
            runs as a copy, compiled where that helps, with batch norm folded, in 16 bits where the device multiplies
            them natively (float16 on CUDA, else bfloat16), provided that on a sample of the study's stimuli it decides
            as the module does: top-1 differs for at most 0.3 % of them in float16, 1 % in bfloat16, and accuracy by no
            more than chance and 0.1 points. Else, on a CPU, a compiled copy in float32 is held to 0.1 % in the same
            way, and its logits to 1e-4; what is left runs in float32 as it is. A run keeps the precision that it was
            begun with.
        seed: of every random stimulus.
        batch_size: images synthesized together; it changes speed and memory, never a record.
        forward_batch: images a model sees at once, the last batch padded. The last bits of a logit depend on it, so it
            is part of what a run folder must match. `"auto"`: what the run was begun with; in a new one 32 on a CPU,
            256 on CUDA, no more than there are images, halved until the stimuli that are held at once, attacks, and on
            CUDA the forward passes, fit in the memory that is free.
        decode: `"pillow"` (exact), `"dali"` (within one level), `"dali-mixed"` (DALI on the GPU; further off, by how
            much is measured and stands in the manifest), or `"auto"`: in a run folder the decoder that it was begun
            with, in a new one DALI's on the CPU where installed, else Pillow.
        max_bad: how many images of each set may be unusable; they are listed and left out. Default 0: any
            bad image fails the run.
        model_memory_bytes: what the weights of models may take on the device, or in memory where that is a CPU; it
            changes speed, never a record. Models that do not fit together run in groups, one after the other; one that
            is larger runs alone. `"auto"`: half of what is free when the run starts. On CUDA models wait for their turn
            in the host's memory, in half of what is free of it when the run starts; those beyond that, and on a CPU all
            that do not fit, are loaded again. A module of yours that runs as it is stays where it is, not counted.
        cache: folder of decoded crops. Default `crops` in `$VISIONBIAS_CACHE` or `~/.cache/visionbias`.
        cache_bytes: the most bytes of decoded crops that the cache may hold, those of other studies included; 50,000
            images of 224 x 224 take 7.5 GB. A set that would go beyond it is streamed: the first start decodes it to
            know that it can, and every start decodes what it shows, once for each group of models that are in memory
            together and see the same pixels, and what is compared. 0: no crops are written, which "dali-mixed" refuses.
            `"auto"`: as many as the disk has room for, less 5 % of what is free; no number goes beyond that. Crops
            that are in the cache are used in any case, and none are removed. It changes speed, never a record.
        offline: never open a socket to fetch weights.

    Raises:
        RunError: an argument is not one of the above.
        DataError: the data cannot be listed.
        CheckpointError: two models have the same id, or an entry is of no known kind.
    """

    def __init__(
        self,
        models: Sequence[Any],
        data: Dataset | str | Path,
        probes: Sequence[Probe],
        *,
        preprocessing: Literal["study", "model"] | Preprocessing = "study",
        device: str = "auto",
        precision: Literal["auto", "fp32"] = "auto",
        seed: int = 0,
        batch_size: int | Literal["auto"] = "auto",
        forward_batch: int | Literal["auto"] = "auto",
        decode: Decode = "auto",
        max_bad: int = 0,
        model_memory_bytes: int | Literal["auto"] = "auto",
        cache: str | Path | None = None,
        cache_bytes: CacheBytes = "auto",
        offline: bool = False,
    ) -> None:
        if isinstance(models, str) or not isinstance(models, Sequence) or not models:
            raise RunError(
                f"Study: models must be a non-empty list, got {models!r}; try models=['timm:resnet50.a1_in1k']"
            )
        self.models = expanded(models)
        self.model_ids = model_ids(self.models)
        check_names(self.model_ids, "model")
        self.data = data_set(data)
        self.probes = _checked_probes(probes)
        self.arms = arms_of(self.data, self.probes)
        check_names([arm.data.name for arm in self.arms], "data set")
        check_names(self.conditions, "condition")
        if preprocessing not in ("study", "model") and not isinstance(preprocessing, Preprocessing):
            raise RunError(f"Study: preprocessing must be 'study', 'model' or a Preprocessing, got {preprocessing!r}")
        self.preprocessing = preprocessing
        self.device = device
        self.precision = one_of("precision", precision, ("auto", "fp32"))
        self.seed = whole_number("seed", seed, at_least=0, below=2**64)
        self.batch_size = batch_size if batch_size == "auto" else whole_number("batch_size", batch_size, at_least=1)
        self.forward_batch = (
            forward_batch if forward_batch == "auto" else whole_number("forward_batch", forward_batch, at_least=1)
        )
        self.model_memory_bytes = (
            model_memory_bytes
            if model_memory_bytes == "auto"
            else whole_number("model_memory_bytes", model_memory_bytes, at_least=1)
        )
        self.decode: Decode = one_of("decode", decode, DECODES)
        self.max_bad = whole_number("max_bad", max_bad, at_least=0)
        self.cache = None if cache is None else folder_of("cache", cache)
        self.cache_bytes: CacheBytes = (
            cache_bytes if cache_bytes == "auto" else whole_number("cache_bytes", cache_bytes, at_least=0)
        )
        self.offline = offline

    @property
    def conditions(self) -> tuple[str, ...]:
        """The condition ids of all probes, each once."""
        return tuple(condition for arm in self.arms for condition in arm.conditions)

    def plan(self, out: str | Path | None = None) -> "Plan":
        """How much work the study is, and how much of it the run folder `out` holds already. Writes no record.

        The time is that of the folder's last session. Where none has ended, weight files are read, and each step is
        timed here on a few images and on architectures with random weights: nothing is downloaded. Models, labels,
        conditions and these images are then refused as `run` refuses them.

        A folder is compared with the study as `run` compares them before it reads weights and images.

        Raises:
            RunError: `out` holds a run of another study, or something else, or there is no memory for a batch.
            BackendError: the run was begun with a decoder that is not here, or the device is not here.
            CheckpointError: an architecture is unknown, a weight file cannot be used, or a module or callable fails.
            DataError: labels do not fit the models, a condition cannot be made, or too many images cannot be used.
        """
        from visionbias.engine.plan import make_plan

        return make_plan(self, None if out is None else folder_of("out", out))

    def run(
        self,
        out: str | Path,
        *,
        shard: tuple[int, int] = (0, 1),
        progress: bool | None = None,
        save_interval_s: float = 10.0,
    ) -> "Run":
        """Measure everything that the run folder `out` does not hold yet, and return the run.

        Killed at any moment, the same call goes on where it stopped and ends with the same tables; on a finished run it
        does nothing and says so.

        Args:
            out: the run folder: new, empty, or holding a part of the same study.
            shard: `(i, n)`: do only the i-th of n parts of the samples (0 <= i < n), for n processes that share `out`.
                Parts are whole batches of `forward_batch` images, so with fewer batches than parts some have nothing
                to do.
            progress: show a progress bar; `None` means on a terminal only. False also silences the line that says how
                much of the run is done already.
            save_interval_s: seconds between durable saves, which come between any two batches of forward passes. A kill
                costs no more than that, or fifty times what one save takes where that is longer.

        Raises:
            DataError: images cannot be used (the first are named) or labels do not fit the models.
            CheckpointError: a model cannot be loaded or does not return logits.
            BackendError: the device or the decoder asked for is not available.
            RunError: `out` holds another study, cannot be written, is being written by another process, there is no
                memory for a batch, or models failed on the way (all else is saved).
        """
        from visionbias.engine.execute import run_study

        return run_study(self, folder_of("out", out), shard=shard, progress=progress, save_interval_s=save_interval_s)


def _checked_probes(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    if not isinstance(probes, Sequence) or isinstance(probes, str) or not probes:
        raise RunError(f"Study: probes must be a non-empty list, got {probes!r}; try probes=[vb.Accuracy()]")
    names = [require_probe(probe).registered_as for probe in probes]
    for name in names:
        if names.count(name) > 1:
            raise RunError(f"Study: probe {name!r} is given {names.count(name)} times; make a study for each variant")
    return tuple(probes)
