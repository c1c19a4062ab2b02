# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The study's 22 spectral conditions of u8 images, normalized: ours, the published filter, transforms, products."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

import visionbias as vb
from benchmarks.backends import backends
from benchmarks.images import MEAN, STD, constants, crops, images_at_once, poisoned
from benchmarks.registry import Case, benchmark
from benchmarks.transforms import Transforms, transforms
from tests.tolerances import FILTER_BANK, FILTER_BANK_FAST, assert_within
from visionbias.conditions.spectral import STUDY_CUTOFFS
from visionbias.ops.filter_bank.bands import Band
from visionbias.ops.filter_bank.fourier import Corner, basis, weights
from visionbias.ops.filter_bank.masks import distinct_masks
from visionbias.ops.filter_bank.plan import OP
from visionbias.ops.filter_bank.spec import Spec

BANDS = (*map(vb.lowpass, STUDY_CUTOFFS), *map(vb.highpass, STUDY_CUTOFFS))

Fill = Callable[[Tensor, Tensor], object]  # x [N, C, H, W] u8, out [F, N, C, H, W]


def ours(x: Tensor, out: Tensor, backend: str) -> None:
    """One call."""
    vb.filter_bank(x, BANDS, mean=MEAN, std=STD, dtype=out.dtype, out=out, backend=backend)


def published(x: Tensor, out: Tensor) -> None:
    """The study's filter from its definition: a complex FFT of one float32 image for each condition."""
    mean, std = constants(x.device)
    for f, band in enumerate(BANDS):
        for i, crop in enumerate(x):
            out[f, i] = (passed(crop.float() / 255.0, band) - mean) / std


def passed(image: Tensor, band: Band) -> Tensor:  # [C, H, W] float32 each
    """One image through the published filter."""
    h, w = image.shape[-2:]
    cutoff = band.cutoffs[0] if band.kind == "lowpass" else 1.0 - band.cutoffs[0]
    ry, rx = int(cutoff * (h // 2)), int(cutoff * (w // 2))
    mask = torch.zeros(h, w, device=image.device)
    mask[h // 2 - ry : h // 2 + ry, w // 2 - rx : w // 2 + rx] = 1.0
    if band.kind == "highpass":
        mask = 1.0 - mask
    spectrum = torch.fft.fftshift(torch.fft.fft2(image), dim=(-2, -1)) * mask
    filtered: Tensor = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).real
    return filtered.clamp(0.0, 1.0)


def batched(x: Tensor, out: Tensor, masks: list[Tensor]) -> None:
    """Plain torch: the real FFT of the whole batch, once more for each band, with masks made in advance."""
    mean, std = constants(x.device)
    images = x.float() / 255.0
    for f, mask in enumerate(masks):
        y = torch.fft.irfft2(torch.fft.rfft2(images) * mask, s=images.shape[-2:])
        out[f] = (y.clamp(0.0, 1.0) - mean) / std


def finish(low: Tensor, images: Tensor, mean: Tensor, std: Tensor, complement: bool) -> Tensor:
    """Low- or high-pass images, clipped and normalized."""
    return ((images - low if complement else low).clamp(0.0, 1.0) - mean) / std


def shared(
    x: Tensor, out: Tensor, library: Transforms, masks: list[tuple[Tensor, list[int]]], end: Callable[..., Tensor]
) -> None:
    """What a library of transforms allows: one forward for all bands, one inverse for each distinct mask."""
    mean, std = constants(x.device)
    images = x.float().div_(255.0).contiguous()
    spectrum = library.rfft2(images)
    for mask, served in masks:
        low = library.irfft2(spectrum * mask, images.shape[-2:])
        for f in served:
            out[f] = end(low, images, mean, std, BANDS[f].complement)


def products(x: Tensor, out: Tensor, waves: Tensor, masks: list[tuple[Tensor, list[Corner], float, list[int]]]) -> None:
    """The same in the real Fourier basis by matrix products in float32: two for all bands, two for each mask.

    Float32 sums lose less of images around 0, so grey, of which a mask keeps all or nothing, goes around the products.
    """
    mean, std = constants(x.device)
    images = x.float().div_(255.0)
    z = waves.T @ (images - 0.5).contiguous() @ waves
    signs = torch.tensor([[-1.0, 1.0], [1.0, -1.0]], device=x.device)
    for mask, corners, mean_kept, served in masks:
        rows, columns = mask.shape
        kept = z[..., :rows, :columns] * mask
        for row, column, strength in corners:
            block = (..., slice(row, row + 2), slice(column, column + 2))
            kept[block] += strength * signs * z[block].flip(-2, -1)
        low = waves[:, :rows] @ kept @ waves[:, :columns].T + 0.5 * mean_kept
        for f in served:
            out[f] = finish(low, images, mean, std, BANDS[f].complement)


def contenders(device: str, size: int, dtype: torch.dtype) -> dict[str, Fill]:
    """Each way to fill the output, ours first."""
    on_cpu = device == "cpu"
    masks = [torch.tensor(band.mask(size, size), dtype=torch.float32, device=device) for band in BANDS]
    distinct = distinct_masks(BANDS, size, size)
    inner = [(torch.tensor(mask, dtype=torch.float32, device=device), served) for mask, served in distinct]
    blocks = [
        (
            torch.tensor(w.diagonal[: w.rows, : w.columns], dtype=torch.float32, device=device),
            w.corners,
            float(mask[0, 0]),
            served,
        )
        for w, mask, served in ((weights(mask, size, size), mask, served) for mask, served in distinct)
    ]
    waves = torch.tensor(basis(size), dtype=torch.float32, device=device)
    spec = Spec(BANDS, size, size, MEAN, STD, torch.uint8, dtype, torch.device(device))
    fills: dict[str, Fill] = {
        **{name: partial(ours, backend=name) for name in backends(OP, spec)},
        "peer: published filter per image": published,
        "peer: torch.fft batched per band": partial(batched, masks=masks),
        **{
            f"peer: {name}, shared transforms": partial(shared, library=library, masks=inner, end=finish)
            for name, library in transforms(device).items()
        },
        f"peer: {'BLAS' if on_cpu else 'cuBLAS'}, two products a mask": partial(products, waves=waves, masks=blocks),
    }
    if not on_cpu:
        fair = partial(shared, library=transforms(device)["torch.fft"], masks=inner, end=torch.compile(finish))
        fills["peer: torch.fft, shared transforms, compiled epilogue"] = fair
    return fills


def cases(device: str, size: int = 224, n: int | None = None) -> Iterator[Case]:
    """One case an output dtype."""
    for dtype in (torch.float32, torch.bfloat16):
        yield _case(device, size, n or images_at_once(device), dtype)


def _case(device: str, size: int, n: int, dtype: torch.dtype) -> Case:
    fills = contenders(device, size, dtype)
    x = crops(n, size).to(device)
    out = poisoned((len(BANDS), n), size, dtype, device)

    def check(name: str) -> float:
        fresh = crops(2, size)
        y = poisoned((len(BANDS), 2), size, dtype, device)
        fills[name](fresh.to(device), y)
        wanted = vb.filter_bank(fresh, BANDS, mean=MEAN, std=STD, dtype=torch.float64, backend="reference")
        tolerances = FILTER_BANK_FAST if name == "triton_fast" else FILTER_BANK
        assert_within(y, wanted, tolerances[dtype], 1 / min(STD))
        return float((y.cpu().double() - wanted).abs().max())

    return Case(
        op="filter_bank",
        shape=f"{len(BANDS)} x {[*x.shape]} u8 in, channels_last",
        dtype=str(dtype).removeprefix("torch."),
        unit="conditions",
        work=len(BANDS) * n,
        bytes_moved=x.nbytes + out.nbytes,
        contenders={name: partial(fill, x, out) for name, fill in fills.items()},
        check=check,
        side=size,
    )


benchmark("filter_bank")(cases)
