# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank in torch operators, on any device.

x [N, C, H, W] u8 or float, any strides -> out [F, N, C, H, W] f16, bf16, f32 or f64, any strides
One rfft2 an image serves all bands; each distinct inner mask is inverted once, and only the columns that it keeps; a
high-pass band is the image minus what its inner mask keeps. 22 study conditions of 224x224: 1 forward, 11 inverses.
Always the same number of images at a time, so that the bits of an image do not depend on its batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from visionbias.ops.chunks import images_at_once
from visionbias.ops.filter_bank.masks import distinct_masks
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.image_threads import over_images
from visionbias.ops.output import Finish, Output


class TorchKernel:
    """The distinct inner masks of a bank on their device, and which bands each of them serves."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.images = images_at_once(spec.device)
        output = Output(spec.mean, spec.std, spec.dtype, spec.device)
        self.compute, self.finish = output.compute, Finish(output)
        self.masks: list[Tensor] = []  # [H, columns kept]
        self.served: list[list[int]] = []  # bands of each mask
        for inner, served in distinct_masks(spec.bands, spec.height, spec.width):
            weights = torch.tensor(inner, dtype=self.compute, device=spec.device)
            (kept,) = np.nonzero(inner.any(axis=0))
            self.masks.append(weights[:, : kept[-1] + 1 if len(kept) else 0].contiguous())
            self.served.append(served)

    def run(self, x: Tensor, out: Tensor) -> None:
        """See `Kernel.run`."""
        if x.device.type == "cpu":
            over_images(lambda start, stop: self._fill(x[start:stop], out[:, start:stop]), len(x))
        else:
            self._fill(x, out)

    def _fill(self, x: Tensor, out: Tensor) -> None:
        shape = (self.images, *self.spec.image)
        z = torch.empty(shape, dtype=self.compute, device=x.device)
        cast = torch.empty(shape, dtype=out.dtype, device=x.device)
        for start, n, image in self._chunks(x):
            for low, served in self._inverses(image):
                for f in served:
                    self._before_clip(f, image, low, z)
                    self.finish.store(z, cast, out[f, start : start + n])

    def backward(self, x: Tensor, grad: Tensor) -> Tensor:
        """Gradient in x [N, C, H, W] from the one in the output, grad [F, N, C, H, W].

        The filters are self-adjoint; where the clip is active nothing flows.
        """
        result = x.new_empty(x.shape)
        shape = (self.images, *self.spec.image)
        z = torch.empty(shape, dtype=self.compute, device=x.device)
        for start, n, image in self._chunks(x):
            total = torch.zeros_like(z)
            spectrum = torch.fft.rfft2(torch.zeros_like(z))
            for (low, served), mask in zip(self._inverses(image), self.masks, strict=True):
                filtered = torch.zeros_like(z)
                for f in served:
                    self._before_clip(f, image, low, z)
                    flow = torch.zeros_like(z)
                    flow[:n] = grad[f, start : start + n] / self.finish.std
                    flow *= (z >= 0.0) & (z <= 1.0)
                    if self.spec.bands[f].complement:
                        total += flow
                        filtered -= flow
                    else:
                        filtered += flow
                columns = mask.shape[1]
                spectrum[..., :columns] += torch.fft.rfft2(filtered)[..., :columns] * mask
            total += torch.fft.irfft2(spectrum, s=z.shape[-2:])
            result[start : start + n] = total[:n]
        return result

    def _chunks(self, x: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """(first row, rows, images [images, C, H, W] in [0, 1]); zeros fill the last chunk."""
        image = torch.zeros((self.images, *self.spec.image), dtype=self.compute, device=x.device)
        for start in range(0, len(x), self.images):
            part = x[start : start + self.images]
            image[: len(part)].copy_(part)
            if x.dtype == torch.uint8:
                image[: len(part)].div_(255.0)
            image[len(part) :].zero_()
            yield start, len(part), image

    def _inverses(self, image: Tensor) -> Iterator[tuple[Tensor, list[int]]]:
        """What each inner mask keeps of the images, and the bands that it serves."""
        spectrum = torch.fft.rfft2(image)
        for mask, served in zip(self.masks, self.served, strict=True):
            columns = mask.shape[1]
            if columns == 0:
                yield torch.zeros_like(image), served
                continue
            kept = torch.fft.ifft(spectrum[..., :columns] * mask, dim=-2)
            yield torch.fft.irfft(kept, n=self.spec.width, dim=-1), served

    def _before_clip(self, f: int, image: Tensor, low: Tensor, z: Tensor) -> None:
        band = self.spec.bands[f]
        if band.complement:
            torch.sub(image, low, out=z)
        else:
            z.copy_(low)
        if band.offset:
            z.add_(band.offset)
