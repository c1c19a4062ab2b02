# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a study will take here: each of its steps is done once, on few images, and timed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from visionbias.engine.batches import held_stimuli
from visionbias.engine.checks import checked_label_maps, require_default_dtype
from visionbias.engine.decoder import gpu_of
from visionbias.engine.foreseen import Listing, foresee
from visionbias.engine.host_models import host_bytes
from visionbias.engine.inputs import crop_rule, shared_preprocessing
from visionbias.engine.residents import WeightBytes, budget_bytes, groups_of
from visionbias.engine.timed_steps import Timed, load_models, time_decoding, time_gradient, time_model, time_synthesis
from visionbias.models.resolve import architecture_of, normalization_of, untrained
from visionbias.runtime.exact_float32 import exact_float32
from visionbias.runtime.freed_memory import freed_memory_kept
from visionbias.types import Normalization, Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study


@dataclass(frozen=True)
class Prediction:
    """Seconds of each step of a run; memory that its models take, and what they make.

    A model of which a copy is tried is taken to run so: whether that decides as the model does, only its weights tell.
    """

    load_s: float  # build the models, those that no memory holds again and again
    decode_s: float  # what the cache does not hold, and has no room for again for each group of models
    compile_s: float  # of kernels that are on the disk by now: each architecture, and on a CPU each of its models
    compare_s: float  # copies with models, where a run has not begun; up to 16 times where accuracy is left open
    synthesis_s: float  # of what is left
    forward_s: float  # of what is left
    exact_forward_s: float  # the same, should every model run as it is
    attack_s: float  # of what is left
    weight_bytes: int  # of the models that are in memory together
    activation_bytes: int  # of the model that makes most, for a batch in float32
    model_groups: int  # that run one after the other, for lack of memory for all
    rules: tuple[Preprocessing, ...]  # what the models see, each once
    listings: tuple[Listing, ...]  # of images, and what becomes of their crops

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
        return f"{said}; about {exact_s:,.0f} s if all models run as they are, in float32"


@exact_float32()
@freed_memory_kept()
def predict(
    study: "Study",
    device: torch.device,
    batches: tuple[int, int],  # images synthesized together, images forwarded together
    sizes: Mapping[str, int],  # images of each data set
    begun: Mapping[str, Any] | None,  # the models of the manifest that the run folder holds, if any
    left: float,  # share of the records that is still to be made
) -> Prediction:
    """Read the weight files, time a model of each architecture, of random weights, and all else once.

    Raises:
        CheckpointError: an architecture is unknown, a weight file cannot be used, or a module or callable fails or
            cannot be attacked.
        DataError: labels do not fit a model, a condition cannot be made of the crops, or too many of the images that
            are tried cannot be used.
        NoMemoryError, torch.OutOfMemoryError: there is not enough memory for a batch.
        RunError: torch's default type is not float32.
    """
    require_default_dtype()
    entries = dict(zip(study.model_ids, study.models, strict=True))
    alike = {name: (architecture_of(entry) or name, normalization_of(entry)) for name, entry in entries.items()}
    count = Counter(alike.values())
    first: dict[tuple[str, Normalization | None], str] = {}
    for name, kind in alike.items():
        first.setdefault(kind, name)
    blocks = {arm.data.name: -(-sizes[arm.data.name] // batches[1]) for arm in study.arms}
    passes = sum(blocks[arm.data.name] * len(arm.common_conditions) for arm in study.arms)
    stimuli = sum(sizes[arm.data.name] * len(arm.common_conditions) for arm in study.arms)
    attacks = sum(blocks[arm.data.name] * len(arm.attacks) for arm in study.arms)
    gradients = sum(blocks[arm.data.name] * attack.steps for arm in study.arms for attack in arm.attacks)
    compile_s = again_s = compare_s = forward_s = exact_forward_s = attack_s = 0.0
    loaded = load_models(study, alike, device, batches[1])
    checked_label_maps(study, loaded.models, device)
    shared = shared_preprocessing(study)
    crop = max((shared or model.preprocessing).crop for model in loaded.models)
    held = held_stimuli(study, crop, torch.float32, batches[1], device)  # beside which models are tried
    budget, host_budget = budget_bytes(study, device), host_bytes(device)
    weights, seen, activation_bytes = {}, {}, 0
    measured: dict[tuple[str, int], Timed] = {}  # tags of an architecture take as long where they see as many pixels
    for kind, name in first.items():
        model = loaded.given.get(name) or untrained(entries[name], device=device)
        rule = shared or model.preprocessing
        found = None if begun is None else begun.get(name)
        size = model.architecture or name, rule.crop
        if size not in measured:
            measured[size] = time_model(study, model, rule.crop, device, batches[1], stimuli, found)
            compile_s += max(measured[size].compile_s - measured[size].compile_again_s, 0.0)
        timed = measured[size]
        activation_bytes = max(activation_bytes, timed.activation_bytes)
        again_s += count[kind] * timed.compile_again_s
        compare_s += count[kind] * timed.compare_s
        forward_s += count[kind] * timed.batch_s * passes * left
        # A run that was begun keeps its precision.
        exact_forward_s += count[kind] * (timed.exact_s if begun is None else timed.batch_s) * passes * left
        if attacks:
            gradient_s, gradient_bytes = time_gradient(model, rule.crop, device, batches[1])
            activation_bytes = max(activation_bytes, gradient_bytes)
            attack_s += count[kind] * (gradient_s * gradients + timed.exact_s * attacks) * left
        weights[kind] = WeightBytes.of(entries[name], model, device), timed
        seen[rule, model.normalization] = timed.dtype
    held.clear()
    memory = _Memory.of([weights[kind] for kind in alike.values()], budget, host_budget, attacked=gradients > 0)
    listings = foresee(study, [rule for rule, _ in seen])
    return Prediction(
        load_s=loaded.seconds * (1 + memory.share_reloaded * _times_visited(study, device, begun, memory)),
        decode_s=sum(
            time_decoding(study, listing, left * memory.groups * _groups_that_see(listing, seen), gpu_of(device))
            for listing in listings
        ),
        compile_s=compile_s + again_s * (2 if begun is None and memory.groups > 1 else 1),  # compared, then in a group
        compare_s=compare_s,
        synthesis_s=left
        * memory.groups
        * sum(
            blocks[arm.data.name] * time_synthesis(study, arm, rule, normalization, dtype, device, batches)
            for arm in study.arms
            for (rule, normalization), dtype in seen.items()
        ),
        forward_s=forward_s,
        exact_forward_s=exact_forward_s,
        attack_s=attack_s,
        weight_bytes=memory.held_bytes,
        activation_bytes=activation_bytes,
        model_groups=memory.groups,
        rules=tuple(dict.fromkeys(rule for rule, _ in seen)),
        listings=listings,
    )


@dataclass(frozen=True)
class _Memory:
    """How the models share what their weights may take."""

    groups: int
    held_bytes: int  # at once
    share_reloaded: float  # of the float32 weights, by whatever goes through all models; the rest is copied at most

    @classmethod
    def of(
        cls, models: Sequence[tuple[WeightBytes, Timed]], budget: int, host_budget: int, attacked: bool
    ) -> "_Memory":
        """Of models with what their weights take and how each runs."""
        running = {str(i): weights.running(t.dtype, t.as_it_is, attacked) for i, (weights, t) in enumerate(models)}
        exact = [weights.exact for weights, _ in models]
        largest = max(*exact, *running.values())
        held = min(max(sum(exact), sum(running.values())), max(budget, largest))
        return cls(len(groups_of(running, budget)), held, max(0.0, 1 - (budget + host_budget) / max(sum(exact), 1)))


def _groups_that_see(listing: Listing, seen: Iterable[tuple[Preprocessing, Normalization]]) -> int:
    """How many groups of models that see the same pixels there are for these crops."""
    return len({scale for rule, scale in seen if crop_rule(listing.data, rule) == listing.rule})


def _times_visited(study: "Study", device: torch.device, begun: Mapping[str, Any] | None, memory: _Memory) -> int:
    """How often a run goes through all models once they were loaded: see `prepare`, `choose_forwards` and `Loop`."""
    compared = begun is None and study.precision == "auto"
    attacked = sum(bool(arm.attacks) for arm in study.arms)
    return (device.type == "cuda") + attacked + compared + (memory.groups > 1)
