# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run and a stimulus stream share on their way from a data set to a tensor on the device."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from visionbias.conditions.stimulus import ImageBatch, Renderer
from visionbias.datasets.base import Dataset
from visionbias.errors import BackendError, DataError, NoMemoryError, first_line
from visionbias.types import BadSample, Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study

_LISTED = 50  # bad images in an error


def pick_device(name: str) -> torch.device:
    """The device of a study; `"auto"` is CUDA where present.

    Raises:
        BackendError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # "meta" has no values
    except (RuntimeError, AssertionError, ImportError, TypeError) as error:
        raise BackendError(f"device {name!r} cannot be used: {first_line(error)}; try 'auto' or 'cpu'") from error
    return device


def shared_preprocessing(study: "Study") -> Preprocessing | None:
    """The preprocessing that is the same for all models of a study; `None` where each model has its own."""
    if isinstance(study.preprocessing, Preprocessing):
        return study.preprocessing
    return Preprocessing() if study.preprocessing == "study" else None


def crop_rule(data: Dataset, wanted: Preprocessing) -> Preprocessing:
    """The preprocessing of a data set: images that are published as crops are never resized again."""
    return replace(wanted, resize=None) if data.precropped else wanted


def usable(data: Dataset, bad: Iterable[BadSample], max_bad: int) -> tuple[list[int], tuple[BadSample, ...]]:
    """Rows of the samples that can be used, and the bad samples, each once, sorted by id.

    Raises:
        DataError: there are more than `max_bad` bad samples, or no good one.
    """
    reasons = {sample.id: sample for sample in (*data.bad, *bad)}
    named = tuple(reasons[key] for key in sorted(reasons))
    total = len(data.samples) + len(data.bad)
    rows = [row for row, sample in enumerate(data.samples) if sample.id not in reasons]
    if not rows or len(named) > max_bad:
        what = f"{len(named):,} of {total:,} images cannot be used, and max_bad={max_bad} allows fewer"
        fix = f"mend or remove them, or go on without them with max_bad={len(named)}"
        if not rows:
            what, fix = f"none of its {total:,} images can be used", "mend them"
        raise DataError(f"{data.name}: {what}; {fix}:\n{listed_bad(named)}")
    return rows, named


def listed_bad(bad: Sequence[BadSample]) -> str:
    """A line for each of the first images that cannot be used, and how many more there are."""
    lines = [f"  {sample.id}: {sample.reason}" for sample in bad[:_LISTED]]
    more = [f"  and {len(bad) - _LISTED:,} more"] if len(bad) > _LISTED else []
    return "\n".join([*lines, *more])


def stimulus_buffer(conditions: int, n: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros for the stimuli of one batch, [F, N, 3, size, size], each condition channels_last.

    Raises:
        NoMemoryError: there is not enough memory for them.
    """
    shape = (conditions, n, size, size, 3)
    try:
        return torch.zeros(shape, dtype=dtype, device=device).permute(0, 1, 4, 2, 3)
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        gigabytes = prod(shape) * dtype.itemsize / 1e9
        raise NoMemoryError(
            f"no memory for {conditions} conditions of {n} images of {size} x {size} pixels ({gigabytes:.1f} GB) on "
            f"{device}; use a smaller batch (forward_batch= of a study, batch_size= of a stream) or crop"
        ) from error


def render_batch(
    renderer: Renderer,
    batch: ImageBatch,  # n images
    buffer: Tensor,  # [F, N, C, H, W], n <= N
    step: int,
) -> None:
    """Fill a buffer with the stimuli of a batch, `step` images at a time; rows past the last image are zero."""
    n = len(batch.images)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        renderer(batch[rows], buffer[:, rows])
    buffer[:, n:] = 0
