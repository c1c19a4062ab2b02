# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the unit normals of a call come from: drawn from Philox, or given."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionbias.ops.philox import stream, unit_normals
from visionbias.ops.philox import torch as philox_torch


@dataclass(frozen=True, eq=False)
class DrawnNoise:
    """Functions of (seed, band, sample id, pixel)."""

    seed: int
    keys: NDArray[np.uint32]  # [N, 2]
    height: int
    width: int
    common: bool  # one field for all bands
    device: torch.device

    def stream(self, band: int) -> int:
        """The sequence of a band's fields."""
        return stream("band_noise" if self.common else f"band_noise/{band}")

    def redraw_stream(self, band: int, sd: float) -> int:
        """The sequence of the pixels that are drawn again; attempts follow one another in it, a field apart."""
        return stream(f"band_noise/{band}/{sd!r}/redraw")

    def field(self, rows: slice, band: int) -> Tensor:
        """[n, H, W] for some images in one band (its number)."""
        normals = unit_normals(self.seed, self.stream(band), self.keys[rows], self.height * self.width, self.device)
        return normals.view(-1, self.height, self.width)

    def redraw(self, row: int, band: int, sd: float, places: Tensor, attempt: int) -> Tensor:
        """New unit normals [P] for pixels of one image; `places` are int64 indices into its H * W pixels."""
        counters = places // 4 + attempt * -(-self.height * self.width // 4)
        key = torch.from_numpy(self.keys[row].astype(np.int64)).to(places.device)
        words = philox_torch.words_at(self.seed, self.redraw_stream(band, sd), key, counters)
        return philox_torch.normals(words).gather(1, places[:, None] % 4)[:, 0]


@dataclass(frozen=True, eq=False)
class GivenNoise:
    """Fields that the caller has; only what must be drawn again comes from Philox."""

    fields: Tensor  # [N, H, W], or [B, N, H, W] in the order of `bands`
    bands: tuple[int, ...]
    drawn: DrawnNoise  # for what must be drawn again

    @property
    def common(self) -> bool:
        """Whether all bands have the same field."""
        return self.fields.ndim == 3

    def field(self, rows: slice, band: int) -> Tensor:
        """See `DrawnNoise.field`."""
        fields = self.fields if self.common else self.fields[self.bands.index(band)]
        return fields[rows]

    def redraw(self, row: int, band: int, sd: float, places: Tensor, attempt: int) -> Tensor:
        """See `DrawnNoise.redraw`."""
        return self.drawn.redraw(row, band, sd, places, attempt)


Noise = DrawnNoise | GivenNoise
