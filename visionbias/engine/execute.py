# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The run itself: for each batch of images, for each condition, for each model."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.conditions.stimulus import Renderer, Stimulus
from visionbias.engine.environment import describe_environment
from visionbias.engine.inputs import load_crops, stimulus_buffer
from visionbias.engine.ledger import Ledger
from visionbias.engine.prepare import ModelGroup, Prepared, prepare
from visionbias.engine.run import RECORDS, Run, join_run, note_session
from visionbias.engine.scoring import Scorer, Scores
from visionbias.engine.sink import RecordSink
from visionbias.errors import RunError
from visionbias.models.forward import Forward
from visionbias.runtime.durable import remove_leftovers
from visionbias.runtime.progress import progress_bar

if TYPE_CHECKING:
    from visionbias.engine.study import Study


def run_study(
    study: "Study", folder: Path, *, shard: tuple[int, int], progress: bool | None, save_interval_s: float
) -> Run:
    """See `Study.run`."""
    if not _is_shard(shard):
        raise RunError(f"shard must be (i, n) with 0 <= i < n, got {shard!r}")
    index, shards = shard
    began = time.monotonic()
    prepared = prepare(study, progress)
    run = join_run(folder, prepared.identity, study.conditions, len(prepared.sample_ids), prepared.bad)
    if shards == 1:
        remove_leftovers(folder)
    n_blocks = -(-len(prepared.sample_ids) // prepared.forward_batch)
    blocks = range(n_blocks * index // shards, n_blocks * (index + 1) // shards)
    ledger = Ledger(
        folder / RECORDS, study.model_ids, study.conditions, len(prepared.sample_ids), prepared.forward_batch
    )
    todo = ledger.missing_rows(blocks)
    if not todo:
        if progress is not False:
            part = "" if shards == 1 else f" as far as shard {index}/{shards} goes"
            print(f"{folder}: complete{part}, nothing to do", file=sys.stderr)
        return run

    loop = _Loop(study, prepared, ledger, RecordSink(folder / RECORDS, save_interval_s))
    session = describe_environment(prepared.device) | {"shard": [index, shards], "prepare_s": time.monotonic() - began}
    began = time.monotonic()
    with progress_bar(todo, progress, "forward") as bar:
        try:
            for group in prepared.groups:
                loop.run(group, blocks, bar)
        finally:
            loop.sink.save()
    seconds = time.monotonic() - began
    session |= {
        "forwards": loop.forwards,
        "run_s": seconds,
        "images_per_s": loop.forwards / seconds,
        "failures": loop.failures,
    }
    run = note_session(folder, session)
    if loop.failures:
        listed = "\n".join(f"  {model}: {reason}" for model, reason in loop.failures.items())
        raise RunError(
            f"{len(loop.failures)} of {len(study.models)} models failed; the records of the others are in {folder}. "
            f"Mend the models and start the same run again, or leave them out of a new run:\n{listed}"
        )
    return run


def _is_shard(shard: object) -> bool:
    pair = isinstance(shard, tuple) and len(shard) == 2 and all(isinstance(part, int) for part in shard)
    return pair and 0 <= shard[0] < shard[1]  # type: ignore[index]


@dataclass
class _Loop:
    """State of one session: what is done, what failed, and the buffers."""

    study: "Study"
    prepared: Prepared
    ledger: Ledger
    sink: RecordSink
    failures: dict[str, str] = field(default_factory=dict)  # model id -> reason
    forwards: int = 0

    @torch.inference_mode()
    def run(self, group: ModelGroup, blocks: range, bar: Any) -> None:
        """Forward every missing (model, condition) of one group over the blocks of this shard."""
        p, size, dtype = self.prepared, group.preprocessing.crop, torch.float32
        renderers = [
            (
                stimulus,
                stimulus.renderer(group.normalization, dtype, self.study.seed),
                stimulus_buffer(len(stimulus.conditions), p.forward_batch, size, dtype, p.device),
            )
            for stimulus in self.study.stimuli
        ]
        forwards = {
            model.id: Forward(model, device=p.device, dtype=dtype, batch=p.forward_batch) for model in group.models
        }
        scorers = {m.id: Scorer(p.label_maps[m.id], p.device) for m in group.models}
        for block in blocks:
            rows = slice(block * p.forward_batch, min((block + 1) * p.forward_batch, len(p.sample_ids)))
            images: Tensor | None = None
            for stimulus, renderer, buffer in renderers:
                missing = self._missing(group, stimulus, block)
                if not missing:
                    continue
                if images is None:
                    images = load_crops(group.images, p.rows[rows], p.device)
                    labels = torch.from_numpy(p.labels[rows]).to(p.device)
                self._render(renderer, images, rows, buffer)
                for f, condition in enumerate(stimulus.conditions):
                    for model in missing.get(condition, ()):
                        if model not in self.failures:
                            self._forward(forwards[model], scorers[model], buffer[f], labels, model, condition, rows)
                            bar.update(rows.stop - rows.start)
            self.sink.save_if_due()

    def _missing(self, group: ModelGroup, stimulus: Stimulus, block: int) -> dict[str, list[str]]:
        """Condition -> models without its records in this block."""
        missing = {
            condition: [
                model.id
                for model in group.models
                if model.id not in self.failures and not self.ledger.has(model.id, condition, block)
            ]
            for condition in stimulus.conditions
        }
        return {condition: models for condition, models in missing.items() if models}

    def _render(self, renderer: Renderer, images: Tensor, rows: slice, buffer: Tensor) -> None:
        """Fill `buffer` [F, forward_batch, C, H, W]; rows past the last sample are zero."""
        n, step = len(images), self.prepared.batch_size
        ids = self.prepared.sample_ids[rows]
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            renderer(images[part], list(ids[part]), buffer[:, part])
        buffer[:, n:] = 0

    def _forward(
        self,
        forward: Forward,
        scorer: Scorer,
        stimulus: Tensor,  # [forward_batch, C, H, W]
        labels: Tensor,  # [n]
        model: str,
        condition: str,
        rows: slice,
    ) -> None:
        """Forward one condition through one model and hand its rows to the sink. A failing model is set aside."""
        n = rows.stop - rows.start
        ids = self.prepared.sample_ids[rows]
        try:
            columns = _columns(scorer(forward(stimulus)[:n], labels))
        except Exception as error:  # a user's model may raise anything; the other models must go on
            self.failures[model] = f"under condition {condition!r}: {error}"
            return
        finite = columns.pop("finite")
        if not finite.all():
            named = ", ".join(ids[~finite][:5])
            self.failures[model] = (
                f"under condition {condition!r}: NaN or infinite logits for {int((~finite).sum())} of {n} samples, "
                f"such as {named}; check its weights and precision"
            )
            return
        self.sink.add(model, condition, rows.start, {"sample_id": ids, "label": self.prepared.labels[rows], **columns})
        self.forwards += n


def _columns(scores: Scores) -> dict[str, NDArray[Any]]:
    """Record columns on the host."""
    pred, in_top5, p_label, margin, finite = scores.packed().cpu().numpy()
    return {
        "pred": pred.astype(np.int32),
        "in_top5": in_top5.astype(bool),
        "p_label": p_label.astype(np.float32),
        "margin": margin.astype(np.float32),
        "finite": finite.astype(bool),
    }
