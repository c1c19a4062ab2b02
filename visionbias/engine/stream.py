# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's front half for other loops: model-ready stimuli, batch by batch."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from visionbias.datasets.base import Dataset
from visionbias.decode.choice import Decode
from visionbias.engine.arguments import data_set, instance_of, whole_number
from visionbias.engine.arms import arms_of
from visionbias.engine.decoded import decode_set
from visionbias.engine.decoder import gpu_of
from visionbias.engine.inputs import crop_rule, pick_device, stimulus_buffer, usable
from visionbias.errors import RunError
from visionbias.ops.tensors import FLOAT_DTYPES
from visionbias.probes.registry import Probe, require_probe
from visionbias.runtime.ahead import done_ahead
from visionbias.types import Normalization, Preprocessing


@dataclass(frozen=True)
class StimulusBatch:
    """Images of one condition."""

    images: Tensor  # [N, C, H, W] normalized, channels_last
    labels: Tensor  # [N] int64, index into the data's classes
    sample_ids: tuple[str, ...]  # [N]
    condition: str


def stimuli(
    data: Dataset | str | Path,
    probes: Sequence[Probe],
    *,
    device: str = "auto",
    batch_size: int = 64,
    preprocessing: Preprocessing | None = None,
    normalization: Normalization | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    decode: Decode = "auto",
    max_bad: int = 0,
    progress: bool | None = None,
) -> Iterator[StimulusBatch]:
    """Yield every image under every condition of the probes: all conditions of a batch of images, then the next batch.

    Data sets follow one another: the given one, then those that probes bring along. The pixels are those that
    `Study.run` shows. The default preprocessing is the study's (256, central 224) with ImageNet's mean and standard
    deviation. Every batch is a new tensor; the last one may be shorter. Arguments are checked, and images listed, at
    once; they are decoded when the first batch is asked for, into the cache, and again with each batch where the disk
    has no room for them.

    Raises:
        DataError: more than `max_bad` images cannot be used (the first are named).
        BackendError: the device or decoder is not available.
        RunError: an argument is of another kind or out of range, a probe attacks models, or a batch does not fit in
            memory.
    """
    batch_size, seed = (
        whole_number("batch_size", batch_size, at_least=1),
        whole_number("seed", seed, at_least=0, below=2**64),
    )
    max_bad = whole_number("max_bad", max_bad, at_least=0)
    rule = instance_of("preprocessing", preprocessing or Preprocessing(), Preprocessing)
    scale = instance_of("normalization", normalization or Normalization(), Normalization)
    if dtype not in FLOAT_DTYPES:
        raise RunError(f"dtype must be one of {', '.join(map(str, FLOAT_DTYPES))}; got {dtype!r}")
    dataset = data_set(data)
    place = pick_device(device)
    arms = arms_of(dataset, map(require_probe, probes))
    if any(arm.attacks for arm in arms):
        raise RunError("stimuli: attacks are made for a model, and there is none here; call vb.pgd(model, x, labels)")

    def batches() -> Iterator[StimulusBatch]:
        for arm in arms:
            wanted = crop_rule(arm.data, rule)
            decoded = decode_set(arm.data, wanted, decode=decode, folder=None, gpu=gpu_of(place), progress=progress)
            rows, _ = usable(arm.data, decoded.bad, max_bad)
            renderers = [(s, s.renderer(scale, dtype, seed)) for s in arm.stimuli]
            parts = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
            with closing(done_ahead(decoded.read, parts, "visionbias-crops")) as read:
                for part, pixels in read:
                    samples = [arm.data.samples[row] for row in part]
                    batch = pixels.on(place, [sample.id for sample in samples])
                    labels = torch.tensor([sample.label for sample in samples], device=place)
                    for stimulus, render in renderers:
                        out = stimulus_buffer(len(stimulus.conditions), len(part), wanted.crop, dtype, place)
                        render(batch, out)
                        for f, condition in enumerate(arm.conditions_of(stimulus)):
                            yield StimulusBatch(out[f], labels, tuple(batch.sample_ids), condition)

    return batches()
