# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images in chunks of one size, so that the bits of an image never depend on its batch."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from visionbias.ops.image_threads import over_images
from visionbias.ops.output import Finish


def images_at_once(device: torch.device) -> int:
    """One image stays in the cache of a CPU core; a GPU wants enough of them to fill it."""
    return 1 if device.type == "cpu" else 16


def chunks(start: int, stop: int, size: int) -> Iterator[slice]:
    """Rows `start` ... `stop - 1`, `size` at a time."""
    return (slice(first, min(first + size, stop)) for first in range(start, stop, size))


def padded(images: Tensor, n: int) -> Tensor:
    """The images with zeros behind, n in all."""
    missing = n - len(images)
    return images if not missing else torch.cat([images, images.new_zeros(missing, *images.shape[1:])])


def pixels(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Images in the [0, 1] scale: u8 divided by 255."""
    return x.to(dtype) / 255.0 if x.dtype == torch.uint8 else x.to(dtype)


def fill(
    out: Tensor,  # [N, C, H, W], any strides
    finish: Finish,
    make: Callable[[slice], Tensor],  # rows -> their images [>= n, C, H, W], new, before clip and normalization
) -> None:
    """Make images chunk by chunk, finish and store them; on a CPU over threads."""

    def work(start: int, stop: int) -> None:
        for rows in chunks(start, stop, images_at_once(out.device)):
            z = make(rows)
            finish.store(z, torch.empty_like(z, dtype=out.dtype), out[rows])

    if out.device.type == "cpu":
        over_images(work, len(out))
    else:
        work(0, len(out))
