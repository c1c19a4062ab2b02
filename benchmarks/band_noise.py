# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""28 critical-band conditions of u8 images, normalized: from one field, and by a pyramid for each."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

import visionbias as vb
from benchmarks.backends import backends
from benchmarks.images import MEAN, STD, constants, crops, images_at_once, poisoned
from benchmarks.registry import Case, benchmark
from tests.tolerances import CRITICAL_BAND, assert_within
from visionbias.ops.band_noise.function import CONTRAST, LUMINANCE, OP
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.output import Output

NOISE_SDS = (0.02, 0.04, 0.08, 0.16)
BANDS = range(7)
TAPS = np.sqrt(2.0) * np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0

Fill = Callable[[Tensor, Tensor, Tensor | None], object]  # x [N, C, H, W] u8, out [S, B, N, C, H, W], noise [N, H, W]


def ours(x: Tensor, out: Tensor, noise: Tensor | None, backend: str) -> None:
    """One call."""
    vb.critical_band(
        x,
        bands=BANDS,
        noise_sds=NOISE_SDS,
        sample_ids=[str(i) for i in range(len(x))],
        common_random_numbers=True,
        noise=noise,
        mean=MEAN,
        std=STD,
        dtype=out.dtype,
        out=out,
        backend=backend,
    )


def per_image(x: Tensor, out: Tensor, noise: Tensor | None) -> None:
    """The definition as a program: for each image and condition a field, its pyramid, one band of it, and the rules."""
    rng = np.random.default_rng(0)
    mean, std = constants(x.device)
    for i, crop in enumerate(x.permute(0, 2, 3, 1).numpy()):
        image = low_contrast(crop)
        for s, sd in enumerate(NOISE_SDS):
            for b, band in enumerate(BANDS):
                field = rng.standard_normal(image.shape) if noise is None else noise[i].double().numpy()
                y = torch.from_numpy(noisy(image, sd * field, band)).float()
                out[s, b, i] = (y.expand(3, -1, -1) - mean) / std


def low_contrast(crop: NDArray[np.uint8]) -> NDArray[np.float64]:  # [H, W, 3] -> [H, W]
    """The published grey of one image, before noise."""
    red, green, blue = (crop[..., c].astype(np.int64) for c in range(3))
    grey = ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16) / 255.0
    return (grey - grey.mean()) * 0.2 + 0.449


def noisy(image: NDArray[np.float64], field: NDArray[np.float64], band: int) -> NDArray[np.float64]:  # [H, W] each
    """One image in one band of a field of normals, by the field's pyramid, and the rules for what leaves [0, 1]."""
    levels = _pyramid(field)
    finest, own = (_reconstruction(levels, level) for level in (0, 6 - band))
    y = image + own * np.sqrt((finest**2).mean() / (own**2).mean())
    return np.where(y < 0, 0.1, np.where(y > 1, 0.9, y))


@torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
def per_condition(x: Tensor, out: Tensor, noise: Tensor | None) -> None:
    """Plain torch: a field for each condition, its pyramid by convolutions of the whole batch, and the rules."""
    mean, std = constants(x.device)
    weights = torch.tensor([19595.0, 38470.0, 7471.0], device=x.device).view(3, 1, 1)
    grey = (((x.float() * weights).sum(1) + 32768.0) / 65536.0).floor() / 255.0
    image = (grey - grey.mean((1, 2), keepdim=True)) * 0.2 + 0.449
    taps = torch.tensor(TAPS, dtype=torch.float32, device=x.device)
    kernel = (taps[:, None] * taps)[None, None]

    def blur(field: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(field, (2, 2, 2, 2), mode="reflect"), kernel)

    def up(low: Tensor, like: Tensor) -> Tensor:
        wide = torch.zeros_like(like)
        wide[..., ::2, ::2] = low
        return blur(wide)

    def rms(field: Tensor) -> Tensor:
        return field.square().mean((-2, -1), keepdim=True).sqrt()

    for s, sd in enumerate(NOISE_SDS):
        for b, band in enumerate(BANDS):
            fields = [(torch.randn_like(image) if noise is None else noise)[:, None]]
            for _ in range(6):
                fields.append(blur(fields[-1])[..., ::2, ::2])
            finest, own = (
                fields[level] - up(fields[level + 1], fields[level]) if level < 6 else fields[6]
                for level in (0, 6 - band)
            )
            for finer in fields[: 6 - band][::-1]:
                own = up(own, finer)
            y = image + (own * (sd * rms(finest) / rms(own)))[:, 0]
            y = torch.where(y < 0.0, 0.1, torch.where(y > 1.0, 0.9, y))
            out[s, b] = (y[:, None] - mean) / std


def _pyramid(field: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Laplacian levels and the residual, by correlations with five taps."""
    levels = []
    while min(field.shape) >= 5 and len(levels) < 6:
        low = _blur(field)[::2, ::2]
        levels.append(field - _upsampled(low, field.shape))
        field = low
    return [*levels, field]


def _reconstruction(levels: list[NDArray[np.float64]], level: int) -> NDArray[np.float64]:
    band = levels[level]
    for finer in levels[:level][::-1]:
        band = _upsampled(band, finer.shape)
    return band


def _upsampled(image: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    wide = np.zeros(shape)
    wide[::2, ::2] = image
    return _blur(wide)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d  # of the CPU's contenders alone

    rows = correlate1d(image, TAPS, axis=0, mode="mirror")
    return np.asarray(correlate1d(rows, TAPS, axis=1, mode="mirror"))


def cases(device: str, size: int = 224, n: int | None = None) -> Iterator[Case]:
    """One case: 16-bit output as models take it."""
    n, dtype = n or images_at_once(device), torch.bfloat16
    output = Output(MEAN, STD, dtype, torch.device(device))
    spec = Spec(tuple(BANDS), NOISE_SDS, size, size, CONTRAST, LUMINANCE, torch.uint8, output)
    fills: dict[str, Fill] = {name: partial(ours, backend=name) for name in backends(OP, spec)}
    if device == "cpu":
        fills["peer: pyramid per image and condition"] = per_image
    else:
        fills["peer: torch convolutions per condition"] = per_condition
    x, out = crops(n, size).to(device), poisoned((len(NOISE_SDS), len(BANDS), n), size, dtype, device)

    def check(name: str) -> float:
        fresh, noise = crops(1, size), torch.randn(1, size, size)
        y = poisoned((len(NOISE_SDS), len(BANDS), 1), size, dtype, device)
        fills[name](fresh.to(device), y, noise.to(device))
        wanted = torch.empty(y.shape, dtype=torch.float64)
        ours(fresh, wanted, noise, "reference")
        # A pixel within rounding of a bound may fall on its other side.
        near = (y.cpu().double() - wanted).abs() > 0.5
        assert near.double().mean() < 1e-4
        assert_within(torch.where(near, wanted, y.cpu().double()), wanted, CRITICAL_BAND[dtype], 1 / min(STD))
        return float((torch.where(near, wanted, y.cpu().double()) - wanted).abs().max())

    yield Case(
        op="band_noise",
        shape=f"{len(NOISE_SDS)} x {len(BANDS)} x {[*x.shape]} u8 in, channels_last",
        dtype=str(dtype).removeprefix("torch."),
        unit="conditions",
        work=len(NOISE_SDS) * len(BANDS) * n,
        bytes_moved=x.nbytes + out.nbytes,
        contenders={name: partial(fill, x, out, None) for name, fill in fills.items()},
        check=check,
        side=size,
    )


benchmark("band_noise")(cases)
