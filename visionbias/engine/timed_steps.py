# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Each step of a run, done once on few images and timed."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from visionbias.conditions.stimulus import ImageBatch
from visionbias.datasets.base import Dataset
from visionbias.decode.cache import open_crops
from visionbias.engine.agreement import looks
from visionbias.engine.arms import Arm
from visionbias.engine.checks import for_each
from visionbias.engine.foreseen import Listing
from visionbias.engine.inputs import crop_rule, listed_bad, render_batch, shared_preprocessing, stimulus_buffer, usable
from visionbias.engine.precision import fast_forward, pays
from visionbias.engine.trial import under_attack
from visionbias.errors import CheckpointError, DataError
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.compiler import Compiler
from visionbias.models.differentiable import Differentiable
from visionbias.models.fast import fast_dtypes
from visionbias.models.forward import Forward
from visionbias.models.live_bytes import LiveBytes
from visionbias.models.model import Model, ModelInfo
from visionbias.models.resolve import architecture_of, resolve_model, untrained
from visionbias.ops.memory import memory_for
from visionbias.ops.pgd.loss import Loss
from visionbias.types import Normalization, Preprocessing, Sample

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_REPEATS = 3
_DECODED = 8, 64  # images: what they take in addition is each image's, the rest is the decoder's start


class Loaded(NamedTuple):
    """What loading the models of a study shows."""

    models: list[ModelInfo]
    seconds: float
    given: dict[str, Model]  # the modules and callables among them, by id


def load_models(
    study: "Study",
    kinds: Mapping[str, Hashable],  # model id -> what models have in common that take as long to load
    device: torch.device,
    batch: int,
) -> Loaded:
    """Load the models. Weight files are read, all of them; what a run may have to download is built with random
    weights, once a kind.

    Raises:
        CheckpointError: some cannot be used; all are named.
    """
    entries = dict(zip(study.model_ids, study.models, strict=True))
    shared = shared_preprocessing(study)
    crop = None if shared is None else shared.crop
    built: dict[Hashable, tuple[ModelInfo, float]] = {}
    given: dict[str, Model] = {}

    def load(name: str) -> tuple[ModelInfo, float]:
        entry = entries[name]
        is_file = isinstance(entry, Checkpoint)
        kind = (name, kinds[name]) if is_file else kinds[name]
        if kind not in built:
            began = time.perf_counter()
            model = (resolve_model if is_file else untrained)(entry, device=device, crop=crop, batch=batch)
            if architecture_of(entry) is None:
                given[name] = model
            _ = shared or model.preprocessing  # refused where it cannot be expressed
            built[kind] = model.info, time.perf_counter() - began
        info, seconds = built[kind]
        return replace(info, id=name), seconds

    loaded = for_each(entries, entries, load, CheckpointError)
    return Loaded([info for info, _ in loaded], sum(seconds for _, seconds in loaded), given)


@dataclass(frozen=True)
class Timed:
    """One forward pass of a batch, and what comes once before the first."""

    dtype: torch.dtype
    as_it_is: bool  # the model runs, and no copy
    batch_s: float
    exact_s: float  # of the model as it is
    compile_s: float = 0.0  # where the kernels were compiled before, as this does for the run that follows
    compile_again_s: float = 0.0  # for another model of the architecture
    compare_s: float = 0.0
    activation_bytes: int = 0  # in float32


def time_model(
    study: "Study",
    model: Model,
    crop: int,
    device: torch.device,
    batch: int,
    stimuli: int,
    begun: Mapping[str, Any] | None,  # what the manifest of a run that was begun says of it
) -> Timed:
    """One forward pass in the precision that a run takes, or tries, for so many stimuli.

    Raises:
        CheckpointError: the model fails.
    """
    exact = _forwarding(Forward(model, device=device, batch=batch), crop, device)
    exact_s, exact_bytes = _seconds(exact, device), _most_bytes(exact)
    if begun is not None:
        begun_with = getattr(torch, begun["precision"])
        fast = begun_with if begun["compiled"] or begun_with != torch.float32 else None
    else:
        fast = _fast(study, model, crop, device, stimuli)
    exactly = Timed(torch.float32, True, exact_s, exact_s, activation_bytes=exact_bytes)
    if fast is None:
        return exactly
    options: Any = {"device": device, "dtype": fast, "batch": batch, "crop": crop}
    again, times = Compiler(device), []
    for compiler in (Compiler(device), again, again):
        began = time.perf_counter()
        if begun is None or begun["compiled"]:
            forward, _ = fast_forward(model, compiler=compiler, **options)
        else:
            forward = Forward(model, **options)
        times.append(time.perf_counter() - began)
    if forward.as_it_is:
        return exactly
    fast_s = _seconds(_forwarding(forward, crop, device), device)
    compare_s = 0.0 if begun is not None else looks(stimuli, batch)[0] * (exact_s + fast_s)
    return Timed(fast, False, fast_s, exact_s, times[1], times[2], compare_s, exact_bytes)


def _fast(study: "Study", model: Model, crop: int, device: torch.device, stimuli: int) -> torch.dtype | None:
    """The dtype of the copy that a run would try first, if any."""
    if study.precision != "auto":
        return None
    try:
        return fast_dtypes(device)[0] if pays(model, crop, device, stimuli) else None
    except CheckpointError:
        return None


def _forwarding(forward: Forward, crop: int, device: torch.device) -> Callable[[], object]:
    x = stimulus_buffer(1, forward.batch, crop, forward.dtype, device)[0]
    return lambda: forward(x)


def time_gradient(model: Model, crop: int, device: torch.device, batch: int) -> tuple[float, int]:
    """Seconds for one pass forward and back, and bytes of its activations and gradients.

    Raises:
        CheckpointError: the model cannot be attacked.
        NoMemoryError: there is no memory for its gradient.
    """
    shape = (batch, 3, crop, crop)
    with under_attack(model), memory_for("pgd", shape, torch.float32, device):
        differentiable = Differentiable(model, device)
        x = torch.rand(shape, device=device).contiguous(memory_format=differentiable.memory_format)
        loss = Loss(differentiable, torch.zeros(batch, dtype=torch.int64, device=device))

        def gradient() -> None:
            with torch.inference_mode(False), torch.enable_grad():
                loss.gradient(x.requires_grad_(), x)

        taken, most = _seconds(gradient, device), _most_bytes(gradient)
        loss.check()
    return taken, most


def time_synthesis(
    study: "Study",
    arm: Arm,
    rule: Preprocessing,
    normalization: Normalization,
    dtype: torch.dtype,
    device: torch.device,
    batches: tuple[int, int],
) -> float:
    """Seconds for one block of images under all conditions of a data set."""
    step, n = batches
    size = crop_rule(arm.data, rule).crop
    random = np.random.default_rng(0)
    pixels = (torch.from_numpy(random.integers(0, 256, (n, size, size, 3), np.uint8)) for _ in range(2))
    images, partners = (image.to(device).permute(0, 3, 1, 2) for image in pixels)
    batch = ImageBatch(images, [str(i) for i in range(n)], partners if arm.data.partners else None)

    def render() -> Iterator[float]:
        for stimulus in arm.stimuli:
            buffer = stimulus_buffer(len(stimulus.conditions), n, size, dtype, device)
            renderer = stimulus.renderer(normalization, dtype, study.seed)
            yield _seconds(lambda: render_batch(renderer, batch, buffer, step), device)  # noqa: B023

    return sum(render())


def time_decoding(study: "Study", listing: Listing, readings: float, gpu: int) -> float:
    """Seconds to decode what is listed where the cache does not hold it, and as often as crops that are not kept are
    read in a run: `readings`.

    Raises:
        DataError: of the images that are tried, or listed as bad, more than `max_bad` cannot be used.
    """
    data, samples, rule, crops = listing.data, listing.samples, listing.rule, listing.crops
    readings *= listing.readings
    usable(data, (), study.max_bad)
    times = (0 if crops.found or listing.again else 1) + (0 if crops.kept else readings)
    if not times:
        return 0.0
    few, some = (samples[:: -(-len(samples) // n)] for n in _DECODED)
    seconds = _decode(study, data, few, rule, gpu)
    if len(some) > len(few):
        more_s = _decode(study, data, some, rule, gpu) - _decode(study, data, few, rule, gpu)
        seconds += max(more_s, 0.0) / (len(some) - len(few)) * (len(samples) - len(few))
    return times * seconds


def _decode(study: "Study", data: Dataset, samples: Sequence[Sample], wanted: Preprocessing, gpu: int) -> float:
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        crops = open_crops(samples, wanted, decode=study.decode, folder=Path(folder), gpu=gpu, progress=False)
        taken = time.perf_counter() - began
    if len(crops.bad) > study.max_bad:
        raise DataError(
            f"{data.name}: of {len(samples)} images that were tried {len(crops.bad)} cannot be used, and "
            f"max_bad={study.max_bad} allows fewer in all:\n{listed_bad(crops.bad)}"
        )
    return taken


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """Of one call, once it has been called."""
    taken = []
    for _ in range(1 + _REPEATS):
        began = time.perf_counter()
        with torch.inference_mode():
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    return median(taken[1:])


def _most_bytes(call: Callable[[], object]) -> int:
    """That the tensors of one call take at once, as far as it goes where each operation is looked at."""
    live = LiveBytes()
    with suppress(Exception), live, torch.inference_mode():  # a user's model may do what cannot be looked at
        call()
    return live.most
