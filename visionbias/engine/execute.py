# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run from start to end: prepare, claim, loop, note."""

import sys
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from visionbias.engine.arguments import number_from_zero
from visionbias.engine.claims import claimed
from visionbias.engine.environment import describe_environment
from visionbias.engine.gallery import keep_gallery
from visionbias.engine.identity import identity_before_reading
from visionbias.engine.inputs import pick_device
from visionbias.engine.loop import Loop, Part
from visionbias.engine.precision import choose_forwards
from visionbias.engine.prepare import prepare
from visionbias.engine.run import Run
from visionbias.engine.run_folder import join_run, locked, note_session, require_same
from visionbias.engine.sink import RecordSink
from visionbias.errors import RunError
from visionbias.records.files import RECORDS
from visionbias.records.manifest import read_manifest
from visionbias.records.samples import write_samples
from visionbias.records.writer import set_aside_damaged
from visionbias.runtime.dispatch import chosen_backends
from visionbias.runtime.durable import remove_leftovers
from visionbias.runtime.exact_float32 import exact_float32
from visionbias.runtime.freed_memory import freed_memory_kept
from visionbias.runtime.progress import progress_bar

if TYPE_CHECKING:
    from visionbias.engine.study import Study


@exact_float32()
@freed_memory_kept()
def run_study(
    study: "Study", folder: Path, *, shard: tuple[int, int], progress: bool | None, save_interval_s: float
) -> Run:
    """See `Study.run`."""
    if not _is_shard(shard):
        raise RunError(f"shard must be (i, n) with 0 <= i < n, got {shard!r}")
    save_interval_s = number_from_zero("save_interval_s", save_interval_s)
    started, began = datetime.now(UTC), time.monotonic()
    manifest = read_manifest(folder)
    found = None if manifest is None else manifest["study"]
    if found is not None:  # before anything is loaded or decoded
        device_type = pick_device(study.device).type
        require_same(folder, identity_before_reading(study, device_type, found, folder), found)
    prepared = prepare(study, folder, found, progress)
    with locked(folder):  # whoever comes first chooses for all shards
        manifest = read_manifest(folder)
        begun = None if manifest is None else manifest["study"]["models"]
        chosen = choose_forwards(study, prepared, begun, progress)
        run = join_run(
            folder,
            prepared.identity(study, chosen),
            {p.arm.data.name: p.describe() for p in prepared.arms},
            {model: how.tried for model, how in chosen.items() if how.tried},
        )
    for model, how in chosen.items():
        if how.refused:
            _say(f"{model} runs in float32{', compiled' if how.compiled else ''}; {how.refused}", progress)
    for p in prepared.arms:
        if p.drift is not None:
            _say(f"{p.arm.data.name}: crops of {p.groups[0].decoded.decoder} are {p.drift}", progress)
        if p.shortages and study.cache_bytes != 0:
            wanted = sum(shortage.wanted_bytes for shortage in p.shortages)
            allowed = max(shortage.allowed_bytes for shortage in p.shortages)
            _say(
                f"{p.arm.data.name}: images are decoded whenever they are read, for {wanted:,} bytes of crops do not "
                f"fit into the {allowed:,} that the cache may still take; make room there, or raise cache_bytes",
                progress,
            )
        write_samples(folder, p.arm.data.name, p.sample_columns())
        keep_gallery(folder, prepared, p, study.seed)
    with claimed(folder, shard):
        if shard == (0, 1):
            remove_leftovers(folder)
        with locked(folder):  # two shards that start together would rename each other's files
            for model, condition in product(study.model_ids, study.conditions):
                set_aside_damaged(folder / RECORDS, model, condition)
        parts = [Part.of(p, study.model_ids, folder, prepared.forward_batch, shard) for p in prepared.arms]
        todo, total = sum(part.missing_rows for part in parts), sum(part.total_rows for part in parts)
        which = "" if shard == (0, 1) else f", shard {shard[0]}/{shard[1]}"
        if not todo:
            done = "complete, nothing to do" if total else "no batch of images is its part; use fewer shards"
            _say(f"{folder}{which}: {done}", progress)
            return run
        if todo < total:
            _say(
                f"{folder}{which}: goes on; {total - todo:,} of {total:,} forward passes are done, {todo:,} are left",
                progress,
            )
        session = describe_environment(prepared.device) | {
            "started": started.isoformat(timespec="seconds"),
            "shard": list(shard),
            "prepare_s": time.monotonic() - began,
        }
        began = time.monotonic()
        loop = Loop(study.seed, prepared, chosen, RecordSink(folder / RECORDS, save_interval_s))
        with progress_bar(todo, progress, "forward") as bar:
            try:
                loop.run(parts, bar)
            finally:  # an interrupted session keeps its records and its note too
                loop.sink.save()
                seconds = time.monotonic() - began
                session |= {
                    "forwards": loop.forwards,
                    "run_s": seconds,
                    "images_per_s": loop.forwards / seconds,
                    "failures": loop.failures,
                    "backends": chosen_backends(),
                }
                run = note_session(folder, session)
    if loop.failures:
        listed = "\n".join(f"  {model}: {reason}" for model, reason in loop.failures.items())
        raise RunError(
            f"{len(loop.failures)} of {len(study.models)} models failed; the records of the others are in {folder}. "
            f"Mend the models and start the same run again, or leave them out of a new run:\n{listed}"
        )
    return run


def _say(line: str, progress: bool | None) -> None:
    if progress is not False:
        print(line, file=sys.stderr)


def _is_shard(shard: object) -> bool:
    pair = isinstance(shard, tuple) and len(shard) == 2 and all(isinstance(part, int) for part in shard)
    return pair and 0 <= shard[0] < shard[1]  # type: ignore[index]
