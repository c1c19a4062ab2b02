# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A few images of every data set under every condition, kept in the run folder to be looked at."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visionbias.conditions.stimulus import ImageBatch
from visionbias.engine.inputs import stimulus_buffer
from visionbias.engine.prepare import Prepared, PreparedArm
from visionbias.engine.target import Target
from visionbias.records.gallery import Picture, gallery_file, thumbnail, write_gallery
from visionbias.types import Normalization

_IMAGES = 3  # of each data set, from all over it
_SIDE = 224  # pixels; larger ones are reduced
_PIXELS = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@torch.inference_mode()
def keep_gallery(folder: Path, prepared: Prepared, arm: PreparedArm, seed: int) -> None:
    """Keep pictures of one data set, the pixels that the first group of models sees, unless they are there. Attacks
    are made on the study's first model.

    Raises:
        RunError: the folder cannot be written.
    """
    group, name, device = arm.groups[0], arm.arm.data.name, prepared.device
    if gallery_file(folder, name).exists():
        return
    total = len(arm.sample_ids)
    picked = np.unique(np.arange(1, 2 * _IMAGES, 2) * total // (2 * _IMAGES))
    ids = [str(sample_id) for sample_id in arm.sample_ids[picked]]
    batch = group.decoded.load(arm.rows[picked], ids, device)
    group.decoded.close()
    pictures = []
    for stimulus in arm.arm.stimuli:
        shown = stimulus_buffer(len(stimulus.conditions), len(ids), group.preprocessing.crop, torch.float32, device)
        stimulus.renderer(_PIXELS, torch.float32, seed)(batch, shown)
        for condition, images in zip(arm.arm.conditions_of(stimulus), shown, strict=True):
            pictures += _pictures(condition, ids, images)
    if arm.arm.attacks:
        labels = torch.from_numpy(arm.labels[picked]).to(device)
        # A user's model may raise anything, or take batches of one size only; the run tells of what ails it.
        with suppress(Exception):
            pictures += _attacked(prepared, arm, batch, labels, seed)
    write_gallery(folder, name, pictures)


def _attacked(prepared: Prepared, arm: PreparedArm, batch: ImageBatch, labels: Tensor, seed: int) -> list[Picture]:
    """Pictures of every attack on the first model."""
    model = arm.groups[0].models[0].id
    target = Target(prepared.residents.model(model), arm.label_maps[model], prepared.device, len(labels))
    pictures = []
    for attack in arm.arm.attacks:
        (condition,) = arm.arm.conditions_of(attack)
        pictures += _pictures(condition, batch.sample_ids, target.images(attack, batch, labels, seed), model)
    return pictures


def _pictures(
    condition: str,
    ids: Sequence[str],
    images: Tensor,  # [N, C, H, W] in [0, 1], up to rounding
    model: str | None = None,
) -> list[Picture]:
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [
        Picture(condition, sample_id, thumbnail(image, _SIDE), model)
        for sample_id, image in zip(ids, pixels, strict=True)
    ]
