# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a study will take here: each of its steps is done once, on few images, and timed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from visionbias.conditions.stimulus import ImageBatch
from visionbias.datasets.base import Dataset
from visionbias.decode.cache import has_crops, open_crops
from visionbias.engine.arms import Arm
from visionbias.engine.decoder import gpu_of
from visionbias.engine.inputs import crop_rule, render_batch, shared_preprocessing, stimulus_buffer
from visionbias.engine.precision import EXACT, compared_batches, fast_forward, pays
from visionbias.engine.residents import WeightBytes, budget_bytes, groups_of
from visionbias.engine.trial import under_attack
from visionbias.models.differentiable import Differentiable
from visionbias.models.fast import Compiler, fast_dtypes
from visionbias.models.forward import Forward
from visionbias.models.model import Model
from visionbias.models.resolve import architecture_of, normalization_of, untrained
from visionbias.ops.memory import memory_for
from visionbias.ops.pgd.loss import Loss
from visionbias.runtime.freed_memory import freed_memory_kept
from visionbias.types import Normalization, Preprocessing, Sample

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_REPEATS = 3
_DECODED = 8, 64  # images: what they take in addition is each image's, the rest is the decoder's start


@dataclass(frozen=True)
class Prediction:
    """Seconds of each step of a run; memory that its models take.

    A model that is tried in 16 bits is taken to run in them: whether it decides as in float32, only its weights tell.
    """

    load_s: float  # build the models, those that memory does not hold again and again
    decode_s: float  # what the cache does not hold
    compile_s: float  # one graph an architecture
    compare_s: float  # 16 bits with float32, where a run has not begun
    synthesis_s: float  # of what is left
    forward_s: float  # of what is left
    exact_forward_s: float  # the same, should every model run in float32
    attack_s: float  # of what is left
    weight_bytes: int  # of the models that are in memory together
    model_groups: int  # that run one after the other, for lack of memory for all

    @property
    def total_s(self) -> float:
        """Of the whole run."""
        return sum(self._steps.values())

    @property
    def _steps(self) -> dict[str, float]:
        return {
            "load": self.load_s,
            "decode": self.decode_s,
            "compile": self.compile_s,
            "compare": self.compare_s,
            "synthesize": self.synthesis_s,
            "forward": self.forward_s,
            "attack": self.attack_s,
        }

    def __str__(self) -> str:
        named = ", ".join(f"{step} {seconds:,.1f} s" for step, seconds in self._steps.items() if seconds >= 0.05)
        said = f"about {self.total_s:,.0f} s, as measured here just now{f' ({named})' if named else ''}"
        if self.exact_forward_s == self.forward_s:
            return said
        exact_s = self.total_s - self.forward_s + self.exact_forward_s
        return f"{said}; about {exact_s:,.0f} s if all models stay in float32"


@dataclass(frozen=True)
class _Timed:
    """One forward pass of a batch, and what comes once before the first."""

    dtype: torch.dtype
    batch_s: float
    exact_s: float  # in float32
    compile_s: float = 0.0
    compare_s: float = 0.0


@freed_memory_kept()
def predict(
    study: "Study",
    device: torch.device,
    batches: tuple[int, int],  # images synthesized together, images forwarded together
    sizes: Mapping[str, int],  # images of each data set
    begun: Mapping[str, Any] | None,  # the models of the manifest that the run folder holds, if any
    left: float,  # share of the records that is still to be made
) -> Prediction:
    """Time a model of each architecture, of random weights where they would have to be read, and all else once.

    Raises:
        CheckpointError: an architecture is unknown, or a module or callable fails or cannot be attacked.
        RunError: there is no memory for a gradient.
    """
    entries = dict(zip(study.model_ids, study.models, strict=True))
    alike = {name: (architecture_of(entry) or name, normalization_of(entry)) for name, entry in entries.items()}
    count = Counter(alike.values())
    first = {kind: name for name, kind in reversed(alike.items())}
    blocks = {arm.data.name: -(-sizes[arm.data.name] // batches[1]) for arm in study.arms}
    passes = sum(blocks[arm.data.name] * len(arm.common_conditions) for arm in study.arms)
    stimuli = sum(sizes[arm.data.name] * len(arm.common_conditions) for arm in study.arms)
    attacks = sum(blocks[arm.data.name] * len(arm.attacks) for arm in study.arms)
    gradients = sum(blocks[arm.data.name] * attack.steps for arm in study.arms for attack in arm.attacks)
    load_s = compile_s = compare_s = forward_s = exact_forward_s = attack_s = 0.0
    budget, weights, seen = budget_bytes(study, device), {}, {}
    measured: dict[tuple[str, int], _Timed] = {}  # tags of an architecture take as long where they see as many pixels
    shared = shared_preprocessing(study)
    for kind, name in first.items():
        began = time.perf_counter()
        crop = None if shared is None else shared.crop
        model = untrained(entries[name], device=device, crop=crop, batch=batches[1])
        load_s += count[kind] * (time.perf_counter() - began)
        rule = shared or model.preprocessing
        found = None if begun is None else begun.get(name)
        size = model.architecture or name, rule.crop
        if size not in measured:
            measured[size] = _time_model(study, model, rule.crop, device, batches[1], stimuli, found)
            compile_s += measured[size].compile_s
        timed = measured[size]
        compare_s += count[kind] * timed.compare_s
        forward_s += count[kind] * timed.batch_s * passes * left
        # A run that was begun keeps its precision.
        exact_forward_s += count[kind] * (timed.exact_s if begun is None else timed.batch_s) * passes * left
        if attacks:
            gradient_s = _time_gradient(model, rule.crop, device, batches[1])
            attack_s += count[kind] * (gradient_s * gradients + timed.exact_s * attacks) * left
        weights[kind] = WeightBytes.of(entries[name], model), timed.dtype
        seen[rule, model.normalization] = timed.dtype
    memory = _Memory.of([weights[kind] for kind in alike.values()], budget, attacked=gradients > 0)
    return Prediction(
        load_s=load_s * (1 + memory.share_let_go * _times_visited(study, device, begun, memory)),
        decode_s=sum(
            _time_decoding(study, arm.data, rule, gpu_of(device))
            for arm in study.arms
            for rule in {rule for rule, _ in seen}
        ),
        compile_s=compile_s,
        compare_s=compare_s,
        synthesis_s=left
        * memory.groups
        * sum(
            blocks[arm.data.name] * _time_synthesis(study, arm, rule, normalization, dtype, device, batches)
            for arm in study.arms
            for (rule, normalization), dtype in seen.items()
        ),
        forward_s=forward_s,
        exact_forward_s=exact_forward_s,
        attack_s=attack_s,
        weight_bytes=memory.held_bytes,
        model_groups=memory.groups,
    )


@dataclass(frozen=True)
class _Memory:
    """How the models share what their weights may take."""

    groups: int
    held_bytes: int  # at once
    share_let_go: float  # of the float32 weights, before all models are loaded

    @classmethod
    def of(cls, models: Sequence[tuple[WeightBytes, torch.dtype]], budget: int, attacked: bool) -> "_Memory":
        """Of models with what their weights take and the dtype that each runs in."""
        running = {str(i): weights.running(dtype, attacked) for i, (weights, dtype) in enumerate(models)}
        exact = [weights.exact for weights, _ in models]
        largest = max(*exact, *running.values())
        held = min(max(sum(exact), sum(running.values())), max(budget, largest))
        return cls(len(groups_of(running, budget)), held, max(0.0, 1 - budget / max(sum(exact), 1)))


def _times_visited(study: "Study", device: torch.device, begun: Mapping[str, Any] | None, memory: _Memory) -> int:
    """How often a run goes through all models once they were loaded: see `prepare`, `choose_forwards` and `Loop`."""
    compared = begun is None and study.precision == "auto" and bool(fast_dtypes(device))
    attacked = sum(bool(arm.attacks) for arm in study.arms)
    return (device.type == "cuda") + attacked + compared + (memory.groups > 1)


def _time_model(
    study: "Study",
    model: Model,
    crop: int,
    device: torch.device,
    batch: int,
    stimuli: int,
    begun: Mapping[str, Any] | None,
) -> _Timed:
    exact_s = _time_forward(Forward(model, device=device, batch=batch), crop, device)
    if begun is not None:
        fast = [getattr(torch, begun["precision"])] if begun["precision"] != "float32" else []
    elif study.precision == "auto" and fast_dtypes(device) and pays(model, crop, device, stimuli):
        fast = list(fast_dtypes(device)[:1])
    else:
        fast = []
    if not fast:
        return _Timed(EXACT, exact_s, exact_s)
    began = time.perf_counter()
    forward = fast_forward(model, crop, device=device, dtype=fast[0], batch=batch, compiler=Compiler())
    compile_s = time.perf_counter() - began
    fast_s = _time_forward(forward, crop, device)
    compare_s = 0.0 if begun is not None else compared_batches(stimuli, batch) * (exact_s + fast_s)
    return _Timed(fast[0], fast_s, exact_s, compile_s, compare_s)


def _time_forward(forward: Forward, crop: int, device: torch.device) -> float:
    x = stimulus_buffer(1, forward.batch, crop, forward.dtype, device)[0]
    return _seconds(lambda: forward(x), device)


def _time_gradient(model: Model, crop: int, device: torch.device, batch: int) -> float:
    differentiable = Differentiable(model, device)
    x = torch.rand(batch, 3, crop, crop, device=device).contiguous(memory_format=differentiable.memory_format)

    loss = Loss(differentiable, torch.zeros(batch, dtype=torch.int64, device=device))

    def gradient() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            loss.gradient(x.requires_grad_(), x)

    with under_attack(model), memory_for("pgd", tuple(x.shape), x.dtype, device):
        taken = _seconds(gradient, device)
        loss.check()
    return taken


def _time_synthesis(
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


def _time_decoding(study: "Study", data: Dataset, rule: Preprocessing, gpu: int) -> float:
    wanted, seconds = crop_rule(data, rule), 0.0
    partners = tuple({sample.id: sample for sample in data.partners}.values())
    for samples in filter(None, (data.samples, partners)):
        found = has_crops(samples, wanted, decode=study.decode, folder=study.cache, keep=study.keep_crops)
        times = (0 if found else 1) + (0 if study.keep_crops else 1)
        if not times:
            continue
        few, some = (samples[:: -(-len(samples) // n)] for n in _DECODED)
        seconds += times * _decode(study, few, wanted, gpu)
        if len(some) > len(few):
            each_s = (_decode(study, some, wanted, gpu) - _decode(study, few, wanted, gpu)) / (len(some) - len(few))
            seconds += times * max(each_s, 0.0) * (len(samples) - len(few))
    return seconds


def _decode(study: "Study", samples: Sequence[Sample], wanted: Preprocessing, gpu: int) -> float:
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        open_crops(samples, wanted, decode=study.decode, folder=Path(folder), gpu=gpu, progress=False)
        return time.perf_counter() - began


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
