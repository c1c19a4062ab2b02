# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What cannot be shown fails before images are decoded: every condition of a blank image, every model under attack."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from visionbias.conditions.stimulus import ImageBatch
from visionbias.datasets.label_map import LabelMap
from visionbias.engine.arms import Arm
from visionbias.engine.inputs import stimulus_buffer
from visionbias.engine.target import Target
from visionbias.errors import BackendError, CheckpointError, DataError, NoMemoryError, RunError, ShapeError
from visionbias.models.model import Model
from visionbias.ops.philox import sample_keys, unit_uniforms
from visionbias.types import Normalization

_FIX = "leave the model or the attack out"


def try_stimuli(
    arm: Arm,
    crop: int,  # side in pixels
    device: torch.device,
) -> None:
    """Show every stimulus of an arm once, and take a step of every attack, on no model yet.

    Raises:
        DataError: one cannot be made of crops of this size, as noise of a band that is too coarse for them.
        RunError: there is no memory for one image.
    """
    blank = torch.zeros(1, crop, crop, 3, dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    batch = ImageBatch(blank, ["blank"], blank if arm.data.partners else None)
    label = torch.zeros(1, dtype=torch.int64, device=device)
    try:
        for stimulus in arm.stimuli:
            buffer = stimulus_buffer(len(stimulus.conditions), 1, crop, torch.float32, device)
            stimulus.renderer(Normalization(), torch.float32, 0)(batch, buffer)
        for attack in arm.attacks:
            replace(attack, steps=1).images(lambda x: x.mean(dim=(2, 3)), batch, label, 0)
    except NoMemoryError as error:  # no smaller batch would help
        raise RunError(f"{arm.data.name}: not even one image fits: {error}") from error
    except ShapeError as error:
        raise DataError(
            f"{arm.data.name}: a condition cannot be made of crops of {crop} x {crop} pixels: {error}"
        ) from error


def try_attacks(
    arm: Arm,
    model: Model,
    label_map: LabelMap,
    crop: int,  # side in pixels
    device: torch.device,
    batch: int,  # images in it
) -> None:
    """One step of an arm's attacks, if it has any, on a batch of noise.

    Raises:
        CheckpointError: the model cannot be attacked: it has no gradient, none that is finite, or zero everywhere.
        NoMemoryError: there is no memory for its gradient.
    """
    for attack in arm.attacks[:1]:  # they want the same of a model
        noise = unit_uniforms(0, 0, sample_keys("trial", ["noise"], 1), crop * crop * 3, device)
        image = (noise * 255).to(torch.uint8).view(1, crop, crop, 3).permute(0, 3, 1, 2)
        shown = ImageBatch(image, ["noise"])
        target = Target(model, label_map, device, batch)
        step = replace(attack, eps=0.25, step_size=0.25, steps=1, random_start=False, band=None)
        with under_attack(model):
            attacked = target.images(step, shown, torch.zeros(1, dtype=torch.int64, device=device), 0)
        if torch.equal(attacked[:1], image / 255):
            raise CheckpointError(
                f"model {model.id!r} cannot be attacked: its gradient is zero everywhere, as that of a model that "
                f"rounds or thresholds; {_FIX}"
            )


@contextmanager
def under_attack(model: Model) -> Iterator[None]:
    """Name the model that an attack fails on.

    Raises:
        CheckpointError: it has no gradient, or none that is finite.
        NoMemoryError: there is no memory for its gradient.
    """
    try:
        yield
    except (BackendError, torch.OutOfMemoryError) as error:
        raise NoMemoryError(f"model {model.id!r}: {error}: use a smaller forward_batch") from error
    except (ShapeError, RuntimeError) as error:  # torch raises the latter where it has no gradient
        raise CheckpointError(f"model {model.id!r} cannot be attacked: {error}; or {_FIX}") from error
