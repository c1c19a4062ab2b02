# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The loop of a run: for each batch of images, for each condition, for each model that is in memory."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visionbias.conditions.attack import Attack
from visionbias.conditions.stimulus import ImageBatch, Stimulus
from visionbias.engine.ahead import one_ahead, one_behind, turns
from visionbias.engine.decoded import Pixels
from visionbias.engine.inputs import render_batch, stimulus_buffer
from visionbias.engine.ledger import Ledger
from visionbias.engine.precision import Chosen, common_dtype
from visionbias.engine.prepare import ModelGroup, Prepared, PreparedArm
from visionbias.engine.scoring import Scorer, Sent
from visionbias.engine.sink import RecordSink
from visionbias.engine.target import Target
from visionbias.models.model import ModelInfo
from visionbias.records.files import RECORDS
from visionbias.runtime.ahead import done_ahead


@dataclass(frozen=True)
class Part:
    """The blocks of one arm that a shard makes, and what of them is there."""

    prepared: PreparedArm
    ledger: Ledger
    blocks: range  # of `forward_batch` samples each

    @classmethod
    def of(
        cls, prepared: PreparedArm, models: Iterable[str], folder: Path, forward_batch: int, shard: tuple[int, int]
    ) -> "Part":
        """The i-th of n parts of an arm's samples, in a run folder."""
        n = len(prepared.sample_ids)
        n_blocks = -(-n // forward_batch)
        blocks = range(n_blocks * shard[0] // shard[1], n_blocks * (shard[0] + 1) // shard[1])
        return cls(prepared, Ledger(folder / RECORDS, models, prepared.arm.conditions, n, forward_batch), blocks)

    @property
    def missing_rows(self) -> int:
        """Records still to make."""
        return self.ledger.missing_rows(self.blocks)

    @property
    def total_rows(self) -> int:
        """Records to make in all."""
        return self.ledger.total_rows(self.blocks)


@dataclass(frozen=True)
class _Block:
    """Samples with records still to make."""

    rows: slice  # of the samples
    missing: Mapping[Stimulus | Attack, Mapping[str, Sequence[str]]]  # condition -> ids of models that are to see it


@dataclass(frozen=True)
class _Step:
    """A batch of images under one stimulus or attack."""

    rows: slice  # of the samples
    batch: ImageBatch
    labels: Tensor  # [n] int64
    shown: Stimulus | Attack
    missing: Mapping[str, Sequence[str]]  # condition -> ids of the models that are to see it
    stimuli: Mapping[str, Tensor]  # condition -> [forward_batch, C, H, W]; of an attack none


@dataclass(frozen=True)
class _Answer:
    """What one model says of a batch of images under one condition."""

    model: str
    condition: str
    rows: slice  # of the samples
    sent: Sent


@dataclass
class Loop:
    """State of one session: what failed, and how much was done."""

    seed: int
    prepared: Prepared
    chosen: Mapping[str, Chosen]  # how each model runs, by id
    sink: RecordSink
    failures: dict[str, str] = field(default_factory=dict)  # model id -> reason
    forwards: int = 0

    def run(self, parts: Sequence[Part], bar: Any) -> None:
        """Forward every missing (model, condition) of some parts: all of the models that memory holds together, then
        all of the next.
        """
        residents = self.prepared.residents
        for together in residents.groups(self.chosen):
            residents.hold_together(together)
            for part in parts:
                self.sink.begin(part.blocks.start * self.prepared.forward_batch)
                for group in part.prepared.groups:
                    models = [model for model in group.models if model.id in together]
                    if models:
                        self._run_group(part, group, models, bar)

    @torch.inference_mode()
    def _run_group(self, part: Part, group: ModelGroup, models: Sequence[ModelInfo], bar: Any) -> None:
        try:
            with closing(self._answers(part, group, models)) as answers:
                for answer in one_behind(answers, self.prepared.device):
                    bar.update(self._keep(part.prepared, answer))
        finally:
            group.decoded.close()

    def _answers(self, part: Part, group: ModelGroup, models: Sequence[ModelInfo]) -> Generator[_Answer, None, None]:
        """What each model answers to each condition of each batch."""
        p, arm = self.prepared, part.prepared
        scorers = {m.id: Scorer(arm.label_maps[m.id], p.device, arm.decides16(m)) for m in models}
        targets: dict[str, Target] = {}
        for step in self._steps(part, group, models):
            for condition, wanting in step.missing.items():
                for model in wanting:
                    answer = self._answer(step, condition, model, scorers[model], targets, arm)
                    if answer is not None:
                        yield answer

    def _steps(self, part: Part, group: ModelGroup, models: Sequence[ModelInfo]) -> Iterator[_Step]:
        steps, device = self._steps_in_order(part, group, models), self.prepared.device
        # An attack makes its images itself, beside what is made ahead, and takes many times as long.
        return steps if part.prepared.arm.attacks else one_ahead(steps, device)

    def _steps_in_order(self, part: Part, group: ModelGroup, models: Sequence[ModelInfo]) -> Iterator[_Step]:
        p, arm, size = self.prepared, part.prepared, group.preprocessing.crop
        dtype = common_dtype(group, self.chosen)
        renderers = {s: s.renderer(group.normalization, dtype, self.seed) for s in arm.arm.stimuli}
        most = max((len(stimulus.conditions) for stimulus in renderers), default=0)
        buffers = cycle(
            [stimulus_buffer(most, p.forward_batch, size, dtype, p.device) for _ in range(turns(p.device.type))]
        )

        def read(block: _Block) -> Pixels:
            return group.decoded.read(arm.rows[block.rows])

        with closing(done_ahead(read, self._blocks(part, models), "visionbias-crops")) as blocks:
            for block, pixels in blocks:
                rows = block.rows
                batch = pixels.on(p.device, list(arm.sample_ids[rows]))
                labels = torch.from_numpy(arm.labels[rows]).to(p.device)
                for shown, wanting in block.missing.items():
                    stimuli: dict[str, Tensor] = {}
                    if wanting and not isinstance(shown, Attack):
                        buffer = next(buffers)[: len(shown.conditions)]
                        render_batch(renderers[shown], batch, buffer, p.batch_size)
                        stimuli = dict(zip(arm.arm.conditions_of(shown), buffer, strict=True))
                    if wanting:
                        yield _Step(rows, batch, labels, shown, wanting, stimuli)

    def _blocks(self, part: Part, models: Sequence[ModelInfo]) -> Iterator[_Block]:
        """Those of the part that lack something; of models that fail before one is used, `_answer` knows."""
        n, arm = self.prepared.forward_batch, part.prepared
        for block in part.blocks:
            missing = {shown: self._missing(part, models, shown, block) for shown in arm.arm.shown}
            if any(missing.values()):
                yield _Block(slice(block * n, min((block + 1) * n, len(arm.sample_ids))), missing)

    def _answer(
        self,
        step: _Step,
        condition: str,
        model: str,
        scorer: Scorer,
        targets: dict[str, Target],  # of attacks, by model id; those that there are
        arm: PreparedArm,
    ) -> _Answer | None:
        """Show one condition to one model; `None` if the model fails, now or before, and is set aside."""
        if model in self.failures:
            return None
        p, how = self.prepared, self.chosen[model]
        try:
            if isinstance(step.shown, Attack):
                if model not in targets:
                    targets[model] = Target(p.residents.model(model), arm.label_maps[model], p.device, p.forward_batch)
                logits = targets[model].logits(step.shown, step.batch, step.labels, self.seed)
            else:
                logits = p.residents.forward(model, how.dtype, how.compiled)(step.stimuli[condition])
            sent = scorer(logits[: len(step.labels)], step.labels).send()
        except Exception as error:  # a user's model may raise anything; the other models must go on
            self.failures[model] = f"under condition {condition!r}: {error}"
            return None
        return _Answer(model, condition, step.rows, sent)

    def _missing(
        self, part: Part, models: Sequence[ModelInfo], shown: Stimulus | Attack, block: int
    ) -> dict[str, list[str]]:
        """Condition -> models without its records in this block."""
        missing = {
            condition: [
                model.id
                for model in models
                if model.id not in self.failures and not part.ledger.has(model.id, condition, block)
            ]
            for condition in part.prepared.arm.conditions_of(shown)
        }
        return {condition: wanting for condition, wanting in missing.items() if wanting}

    def _keep(self, arm: PreparedArm, answer: _Answer) -> int:
        """Hand the rows of an answer to the sink; how many. A model whose answer holds no number is set aside."""
        model, rows = answer.model, answer.rows
        ids = arm.sample_ids[rows]
        try:
            columns = answer.sent.columns()
        except RuntimeError as error:  # a GPU tells only here what went wrong
            self.failures.setdefault(model, f"under condition {answer.condition!r}: {error}")
            return 0
        finite = columns.pop("finite")
        if not finite.all():
            named = ", ".join(ids[~finite][:5])
            fp32 = "" if self.chosen[model].as_it_is else ", or begin another folder with precision='fp32'"
            self.failures.setdefault(
                model,
                f"under condition {answer.condition!r}: NaN or infinite logits for {int((~finite).sum())} of "
                f"{len(ids)} samples, such as {named}; check its weights{fp32}",
            )
            return 0
        self.sink.add(model, answer.condition, rows.start, {"sample_id": ids, "label": arm.labels[rows], **columns})
        self.forwards += len(ids)
        return len(ids)
