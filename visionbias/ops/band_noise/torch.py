# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band in torch operators, on any device.

x [N, C, H, W] u8 or float, unit noise [N, H, W] -> out [S, B, N, 3, H, W] f16, bf16, f32 or f64, any strides
Down G_{b+1} = D G_b D^T, Laplacian L_b = G_b - U G_{b+1} U^T, up P_b L_b P_b^T as matrix products: 224x224 and all
bands take 65 MFLOP. Noise is linear in its standard deviation: one band serves all S levels.
Always the same number of images at a time, so that the bits of an image do not depend on its batch.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from visionbias.ops.band_noise.fields import Noise
from visionbias.ops.band_noise.pyramid import Matrix, down, level_count, level_of, up, upward
from visionbias.ops.band_noise.reference import HIGH, LOW
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.chunks import chunks, images_at_once, padded
from visionbias.ops.image_threads import over_images
from visionbias.ops.output import Finish
from visionbias.ops.tensors import LUMA
from visionbias.runtime.exact_float32 import exact_float32

Work = Callable[[int, int], None]
Make = Callable[[int], Matrix]


class TorchKernel:
    """The pyramid's matrices on their device."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.images = images_at_once(spec.output.device)
        self.compute, self.finish = spec.output.compute, Finish(spec.output)
        self.levels = [level_of("critical_band", band, spec.height, spec.width) for band in spec.bands]
        self.residual = level_count(spec.height, spec.width) - 1
        # A level's Laplacian needs the next coarser level; so does level 0, whose rms is the measure of all.
        deepest = min(max(*self.levels, 0) + 1, self.residual)
        sides = [(spec.height, spec.width)]
        for _ in range(deepest):
            sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
        self.down = [self._pair(down, side) for side in sides[:deepest]]
        self.up = [self._pair(up, side) for side in sides[:deepest]]
        self.upward = {
            b: (self._matrix(upward(spec.height, b)), self._matrix(upward(spec.width, b).T)) for b in set(self.levels)
        }

    def bands(self, noise: Noise, out: Tensor) -> None:
        """See `Kernel.bands`."""

        def work(start: int, stop: int) -> None:
            for rows in chunks(start, stop, self.images):
                for b, band in enumerate(self._scaled(noise, rows)):
                    out[b, rows].copy_(band)

        self._over_images(work, out.shape[1])

    def run(self, x: Tensor, noise: Noise, out: Tensor) -> None:
        """See `Kernel.run`."""
        h, w = self.spec.height, self.spec.width

        def work(start: int, stop: int) -> None:
            z = torch.empty((self.images, 3, h, w), dtype=self.compute, device=x.device)
            cast = torch.empty_like(z, dtype=out.dtype)
            for rows in chunks(start, stop, self.images):
                image = self._low_contrast(x[rows])
                n = len(image)
                bands = self._scaled(noise, rows) if any(self.spec.noise_sds) else (None for _ in self.levels)
                for b, unit in enumerate(bands):
                    for s, sd in enumerate(self.spec.noise_sds):
                        if unit is None or sd == 0.0:
                            y = image
                        else:
                            y = self._in_bounds(image, unit * sd, noise, rows.start, self.spec.bands[b], sd)
                        z[:n] = y[:, None]
                        self.finish.store(z, cast, out[s, b, rows])

        self._over_images(work, len(x))

    def _over_images(self, work: Work, n: int) -> None:
        with exact_float32():
            if self.spec.output.device.type == "cpu":
                over_images(work, n)
            else:
                work(0, n)

    def _scaled(self, noise: Noise, rows: slice) -> Iterator[Tensor]:
        """Unit noise of each band, [n, H, W]; bands that share a field share its pyramid."""
        levels: list[Tensor] = []
        for band, level in zip(self.spec.bands, self.levels, strict=True):
            if not levels or not noise.common:
                levels = self._gaussian(padded(noise.field(rows, band).to(self.compute), self.images))
                finest = _rms(self._laplacian(levels, 0))
            left, right = self.upward[level]
            reconstructed = left @ self._laplacian(levels, level) @ right if level else self._laplacian(levels, 0)
            rms = _rms(reconstructed)
            scale = torch.where(rms > 0.0, finest / rms, 0.0)
            yield (reconstructed * scale.to(self.compute))[: rows.stop - rows.start]

    def _gaussian(self, field: Tensor) -> list[Tensor]:
        levels = [field]
        for left, right in self.down:
            levels.append(left @ levels[-1] @ right)
        return levels

    def _laplacian(self, levels: list[Tensor], level: int) -> Tensor:
        if level == self.residual:
            return levels[level]
        left, right = self.up[level]
        return levels[level] - left @ levels[level + 1] @ right

    def _low_contrast(self, x: Tensor) -> Tensor:  # [n, C, H, W] -> [n, H, W]
        whole = x.dtype == torch.uint8
        colors = x.to(torch.int32 if whole else self.compute)
        grey = colors[:, 0]
        if x.shape[1] == 3:
            weighted = LUMA[0] * grey + LUMA[1] * colors[:, 1] + LUMA[2] * colors[:, 2]
            grey = (weighted + 32768) >> 16 if whole else weighted / 65536
        grey = grey.to(self.compute) / 255.0 if whole else grey
        mean = grey.double().mean(dim=(1, 2), keepdim=True).to(self.compute)
        return (grey - mean) * self.spec.contrast + self.spec.luminance

    def _in_bounds(self, image: Tensor, noise: Tensor, source: Noise, first: int, band: int, sd: float) -> Tensor:
        """Image plus noise; where that leaves [0, 1], `LOW` or `HIGH`, or where those would, other noise."""
        y = image + noise
        lowest, highest = y.aminmax()
        if lowest >= 0.0 and highest <= 1.0:
            return y
        low, high = y < 0.0, y > 1.0
        again = (low & (LOW - noise > 1.0)) | (high & (HIGH - noise < 0.0))
        y = torch.where(low, LOW, torch.where(high, HIGH, y))
        for i in range(len(y)):
            places = again[i].flatten().nonzero()[:, 0]
            pixels, result, attempt = image[i].flatten(), y[i].flatten(), 0
            while len(places):
                drawn = pixels[places] + sd * source.redraw(first + i, band, sd, places, attempt).to(self.compute)
                inside = (drawn >= 0.0) & (drawn <= 1.0)
                result[places[inside]] = drawn[inside]
                places, attempt = places[~inside], attempt + 1
            y[i] = result.view_as(y[i])
        return y

    def _pair(self, make: Make, side: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Matrices for the left and, transposed, for the right of an image."""
        return self._matrix(make(side[0])), self._matrix(make(side[1]).T)

    def _matrix(self, values: Matrix) -> Tensor:
        return torch.tensor(np.ascontiguousarray(values), dtype=self.compute, device=self.spec.output.device)


def _rms(field: Tensor) -> Tensor:  # [n, H, W] -> [n, 1, 1] float64
    return field.double().square().mean(dim=(1, 2), keepdim=True).sqrt()
