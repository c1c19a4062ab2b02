# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""One blank image under every condition, so that what cannot be shown fails before images are decoded."""

import torch

from visionbias.conditions.stimulus import ImageBatch
from visionbias.engine.arms import Arm
from visionbias.engine.inputs import stimulus_buffer
from visionbias.errors import DataError, ShapeError
from visionbias.types import Normalization


def try_stimuli(
    arm: Arm,
    crop: int,  # side in pixels
    device: torch.device,
) -> None:
    """Show every stimulus of an arm once.

    Raises:
        DataError: one cannot be made of crops of this size, as noise of a band that is too coarse for them.
    """
    blank = torch.zeros(1, crop, crop, 3, dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    batch = ImageBatch(blank, ["blank"], blank if arm.data.partners else None)
    for stimulus in arm.stimuli:
        buffer = stimulus_buffer(len(stimulus.conditions), 1, crop, torch.float32, device)
        try:
            stimulus.renderer(Normalization(), torch.float32, 0)(batch, buffer)
        except ShapeError as error:
            raise DataError(
                f"{arm.data.name}: a condition cannot be made of crops of {crop} x {crop} pixels: {error}"
            ) from error
