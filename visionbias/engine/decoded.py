# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The crops of a data set, and how they come to the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.conditions.stimulus import ImageBatch
from visionbias.datasets.base import Dataset
from visionbias.decode.cache import open_crops
from visionbias.decode.choice import Decode, kind_of
from visionbias.decode.drift import Drift, joined
from visionbias.decode.entry import Crops
from visionbias.decode.redecode import Redecoded
from visionbias.decode.room import CacheBytes, Shortage
from visionbias.types import BadSample, Preprocessing, Sample


class Pixels(NamedTuple):
    """Crops of some samples, and of their partners, on the host."""

    images: NDArray[np.uint8]  # [n, S, S, 3]
    partners: NDArray[np.uint8] | None  # [n, S, S, 3]

    def on(self, device: torch.device, ids: Sequence[str]) -> ImageBatch:
        """The samples on a device, u8 in channels_last memory."""
        partners = None if self.partners is None else _to_device(self.partners, device)
        return ImageBatch(_to_device(self.images, device), ids, partners)


@dataclass(frozen=True, eq=False)
class Decoded:
    """The crops of a data set for one preprocessing: row i is sample i, and its partner in a set of pairs."""

    images: NDArray[np.uint8] | Redecoded  # [N, S, S, 3]
    partners: NDArray[np.uint8] | Redecoded | None  # [P, S, S, 3]
    partner_rows: NDArray[np.int64] | None  # [N] row in `partners` of each sample's partner
    bad: tuple[BadSample, ...]
    decoder: str
    sha256: tuple[str, ...]  # of the content of images and partners
    drift: Drift | None  # of both from Pillow's crops, where it has no bound
    shortages: tuple[Shortage, ...]  # of room in the cache: images, or partners, are decoded whenever they are read

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
        """Some samples, from the disk or decoded anew; a thread of its own may do it, one at a time.

        Raises:
            DataError: crops are not kept, and a file is not what it was.
        """
        partners = None
        if self.partners is not None and self.partner_rows is not None:
            partners = self.partners[self.partner_rows[rows]]
        return Pixels(self.images[rows], partners)

    def close(self) -> None:
        """Let go what decodes crops that are not kept, until something is read again."""
        for crops in (self.images, self.partners):
            if isinstance(crops, Redecoded):
                crops.close()

    def load(self, rows: Sequence[int] | NDArray[np.int64], ids: Sequence[str], device: torch.device) -> ImageBatch:
        """Some samples on the device, u8 in channels_last memory.

        Raises:
            DataError: see `read`.
        """
        return self.read(rows).on(device, ids)


def decode_set(
    data: Dataset,
    preprocessing: Preprocessing,
    *,
    decode: Decode,
    folder: Path | None,
    progress: bool | None,
    cache_bytes: CacheBytes = "auto",
    gpu: int = 0,
) -> Decoded:
    """Decode every image of a data set, and of its partners, or find them in the cache.

    The arguments are those of `open_crops`.

    Raises:
        BackendError: the decoder asked for is not available.
        DataError: the cache cannot be written, or has no room for crops of "dali-mixed".
    """

    def decoded(samples: Sequence[Sample], by: Decode) -> Crops:
        return open_crops(
            samples, preprocessing, decode=by, folder=folder, cache_bytes=cache_bytes, gpu=gpu, progress=progress
        )

    crops = decoded(data.samples, decode)
    short = () if crops.shortage is None else (crops.shortage,)
    if not data.partners:
        return Decoded(crops.images, None, None, crops.bad, crops.decoder, (crops.sha256,), crops.drift, short)
    distinct = distinct_partners(data)
    row_of = {sample.id: row for row, sample in enumerate(distinct)}
    # "auto" is settled once: `decoder` speaks for both.
    partners = decoded(distinct, kind_of(crops.decoder) or decode)
    unusable = {sample.id: sample.reason for sample in partners.bad}
    bad = [
        BadSample(sample.id, f"texture {partner.id}: {unusable[partner.id]}")
        for sample, partner in zip(data.samples, data.partners, strict=True)
        if partner.id in unusable
    ]
    return Decoded(
        crops.images,
        partners.images,
        np.array([row_of[partner.id] for partner in data.partners]),
        (*crops.bad, *bad),
        crops.decoder,
        (crops.sha256, partners.sha256),
        joined([crops.drift, partners.drift]),
        short if partners.shortage is None else (*short, partners.shortage),
    )


def distinct_partners(data: Dataset) -> tuple[Sample, ...]:
    """The partners in a set of pairs, each once, in the order of `Decoded.partners`."""
    return tuple({sample.id: sample for sample in data.partners}.values())


def _to_device(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    pixels = torch.from_numpy(images)
    if device.type == "cuda":  # from pinned memory, so that nobody waits for the copy
        return pixels.pin_memory().to(device, non_blocking=True).permute(0, 3, 1, 2)
    return pixels.to(device).permute(0, 3, 1, 2)
