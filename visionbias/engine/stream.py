# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's front half for other loops: model-ready stimuli, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from visionbias.datasets.base import Dataset
from visionbias.datasets.folder import ImageFolder
from visionbias.decode.cache import Decode, open_crops
from visionbias.engine.arguments import whole_number
from visionbias.engine.inputs import crop_rule, load_crops, pick_device, stimulus_buffer, usable
from visionbias.probes.registry import Probe, stimuli_of
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

    The pixels are those that `Study.run` shows. The default preprocessing is the study's (256, central 224) with
    ImageNet's mean and standard deviation. Every batch is a new tensor; the last one may be shorter.

    Raises:
        DataError: more than `max_bad` images cannot be used (all are named).
        BackendError: the device or decoder is not available.
        RunError: `batch_size` is no whole number of at least 1.
    """
    batch_size = whole_number("batch_size", batch_size, at_least=1)
    dataset = ImageFolder(data) if isinstance(data, (str, Path)) else data
    place = pick_device(device)
    wanted = crop_rule(dataset, preprocessing or Preprocessing())
    crops = open_crops(dataset.samples, wanted, decode=decode, progress=progress)
    rows, _ = usable(dataset, crops.bad, max_bad)
    shown = stimuli_of(probes)
    renderers = [(s, s.renderer(normalization or Normalization(), dtype, seed)) for s in shown]
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        samples = [dataset.samples[row] for row in part]
        ids = tuple(sample.id for sample in samples)
        labels = torch.tensor([sample.label for sample in samples], device=place)
        images = load_crops(crops.images, part, place)
        for stimulus, render in renderers:
            out = stimulus_buffer(len(stimulus.conditions), len(part), wanted.crop, dtype, place)
            render(images, ids, out)
            for f, condition in enumerate(stimulus.conditions):
                yield StimulusBatch(out[f], labels, ids, condition)
