# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engine adds to the forward passes: the loop of a run against a bare loop on tensors that are ready."""

import uuid
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import visionbias as vb
from benchmarks.checkpoints import save_checkpoints
from benchmarks.folder import temporary_folder
from benchmarks.registry import Case, benchmark
from visionbias.engine.batches import forward_batch
from visionbias.engine.loop import Loop, Part
from visionbias.engine.precision import Chosen, dtype_name, fast_forward
from visionbias.engine.prepare import prepare
from visionbias.engine.sink import RecordSink
from visionbias.models.compiler import Compiler
from visionbias.models.fast import fast_dtypes
from visionbias.probes.registry import stimuli_of
from visionbias.records.files import RECORDS
from visionbias.records.reader import open_records
from visionbias.runtime.freed_memory import freed_memory_kept
from visionbias.runtime.progress import progress_bar

ARCHITECTURES = {"resnet50": 32, "resnet18": 96}  # and images: for each some seconds, the time between two saves
PROBES = (vb.Accuracy(), vb.SpectralBias())
CONDITIONS = sum(len(stimulus.conditions) for stimulus in stimuli_of(PROBES))
BARE = "peer: bare forward on ready tensors"
KEPT = f"{BARE}, freed memory kept"
SYNTHESIS = "part: stimuli alone"
FLOOR = 0.95  # share of the bare loop's speed, on the same memory


@benchmark("engine")
def cases(device: str, batch: int | None = None, size: int = 224) -> Iterator[Case]:
    """One case an architecture, in the precision that a large job takes.

    The engine reads crops, synthesizes, scores and saves the records; all loops call the same forward pass, which is
    ready: loading, comparing and compiling come once a run, however long it is.
    """
    for arch, n in ARCHITECTURES.items():
        folder = temporary_folder("engine")
        batch = batch or forward_batch(device)
        yield _case(arch, device, max(n, batch), batch, size, folder)


def _case(arch: str, device: str, n: int, batch: int, size: int, folder: Path) -> Case:
    write_images(folder / "images", n)
    (weights,) = save_checkpoints(folder, arch, 1)
    shown = {"device": device, "preprocessing": vb.Preprocessing(resize=size * 8 // 7, crop=size)}
    study = vb.Study([vb.Checkpoint(weights, arch=arch)], folder / "images", PROBES, forward_batch=batch, **shown)
    prepared = prepare(study, folder / "none", None, progress=False)
    model = prepared.residents.model(*study.model_ids)
    dtype = fast_dtypes(prepared.device)[0]
    forward, _ = fast_forward(
        model, device=prepared.device, dtype=dtype, batch=batch, crop=size, compiler=Compiler(prepared.device)
    )
    if not forward.as_it_is:
        prepared.residents.keep(model.id, forward)

    def stimuli() -> Iterator[vb.StimulusBatch]:
        options = {"batch_size": batch, "normalization": model.normalization, "dtype": dtype, **shown}
        return vb.stimuli(folder / "images", PROBES, **options)

    with torch.inference_mode():  # as the engine makes them: a compiled graph would be another one for other tensors
        ready = [images.images for images in stimuli()]

    @freed_memory_kept()
    def engine() -> Path:
        out = folder / uuid.uuid4().hex
        loop = Loop(0, prepared, {model.id: Chosen(dtype, forward.compiled)}, RecordSink(out / RECORDS, 10.0))
        parts = [Part.of(arm, [model.id], out, batch, (0, 1)) for arm in prepared.arms]
        loop.run(parts, progress_bar(CONDITIONS * n, False, "forward"))
        loop.sink.save()
        return out

    @torch.inference_mode()
    def bare() -> list[Tensor]:
        return [forward(x).softmax(dim=1) for x in ready]

    def synthesis() -> None:
        deque(stimuli(), maxlen=0)

    def check(_: str) -> float:
        frame = open_records(engine() / RECORDS).to_table().to_pandas()
        frame = frame.set_index(["condition", "sample_id"])["p_label"]
        error = 0.0
        for images, p in zip(stimuli(), bare(), strict=True):
            own = p.gather(1, images.labels[:, None])[:, 0].cpu().numpy()
            error = max(error, np.abs(frame[images.condition].loc[list(images.sample_ids)].to_numpy() - own).max())
        assert error < 1e-5, f"the engine's probabilities are off by {error}"
        return float(error)

    return Case(
        op="engine",
        shape=f"{arch}, {CONDITIONS} conditions x [{n}, 3, {size}, {size}]",
        dtype=dtype_name(dtype),
        unit="images",
        work=CONDITIONS * n,
        bytes_moved=sum(x.nbytes for x in ready) + sum(p.nbytes for p in model.call.parameters()),
        contenders={"engine": engine, KEPT: freed_memory_kept()(bare), BARE: bare, SYNTHESIS: synthesis},
        check=check,
        floors={KEPT: FLOOR},
    )


def write_images(folder: Path, n: int) -> None:
    """Smooth random pictures of four classes."""
    rng = np.random.default_rng(0)
    for i in range(n):
        path = folder / f"class_{i % 4}" / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((300, 280)).save(path)
