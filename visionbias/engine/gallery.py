# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A few images of every data set under every condition, kept in the run folder to be looked at."""

from pathlib import Path

import numpy as np
import torch

from visionbias.engine.inputs import stimulus_buffer
from visionbias.engine.prepare import PreparedArm
from visionbias.records.gallery import Picture, gallery_file, thumbnail, write_gallery
from visionbias.types import Normalization

_IMAGES = 3  # of each data set, from all over it
_SIDE = 224  # pixels; larger ones are reduced
_PIXELS = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@torch.inference_mode()
def keep_gallery(folder: Path, prepared: PreparedArm, seed: int, device: torch.device) -> None:
    """Keep pictures of one data set, the pixels that the first group of models sees, unless they are there.

    Raises:
        RunError: the folder cannot be written.
    """
    arm, group = prepared.arm, prepared.groups[0]
    if gallery_file(folder, arm.data.name).exists():
        return
    total = len(prepared.sample_ids)
    picked = np.unique(np.arange(1, 2 * _IMAGES, 2) * total // (2 * _IMAGES))
    ids = [str(sample_id) for sample_id in prepared.sample_ids[picked]]
    batch = group.decoded.load(prepared.rows[picked], ids, device)
    pictures = []
    for stimulus in arm.stimuli:
        shown = stimulus_buffer(len(stimulus.conditions), len(ids), group.preprocessing.crop, torch.float32, device)
        stimulus.renderer(_PIXELS, torch.float32, seed)(batch, shown)
        pixels = (shown.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).cpu().numpy()
        pictures += [
            Picture(condition, sample_id, thumbnail(image, _SIDE))
            for condition, images in zip(arm.conditions_of(stimulus), pixels, strict=True)
            for sample_id, image in zip(ids, images, strict=True)
        ]
    write_gallery(folder, arm.data.name, pictures)
