# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `pgd`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from operator import index
from typing import SupportsIndex

import torch
from torch import Tensor, nn

from visionbias.errors import ShapeError
from visionbias.ops.chunks import chunks, pixels
from visionbias.ops.filter_bank.bands import Band
from visionbias.ops.memory import check_plain, memory_for
from visionbias.ops.pgd.loss import Classifier, Loss
from visionbias.ops.philox import checked_seed, sample_keys, stream, unit_uniforms
from visionbias.ops.tensors import check_images, check_pixels, number_between

EPS = 0.5 / 255
STEPS = 40
_DRAWN_AT_ONCE = 16  # images; drawing takes some 50 bytes of memory a pixel
_SMALLEST_EPS = 1e-6  # float32 images in [0, 1] are 6e-8 apart


def pgd(
    model: Classifier,
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    labels: Tensor,  # [N] int64, below K
    *,
    eps: float = EPS,
    steps: int = STEPS,
    step_size: float | None = None,
    random_start: bool = True,
    sample_ids: Sequence[str] | None = None,  # [N]
    seed: int = 0,
    band: Band | None = None,
) -> Tensor:
    """Attack a classifier by projected gradient descent in the L-infinity norm: no pixel changes by more than `eps`.

    Each step moves every pixel by `step_size` to where the cross-entropy of the true label grows, then back to within
    `eps` of x and to [0, 1]. With a `band` the perturbation has those frequencies only: the gradient is filtered before
    its sign is taken, the step after, and a perturbation that is too large is scaled down as a whole. Where the image
    is clipped to [0, 1], a little of other frequencies comes in.

    Args:
        model: from images [N, C, H, W] in [0, 1], of the dtype of the result, to logits [N, K] with a gradient; in
            evaluation mode, since layers that mix the images of a batch would mix their attacks.
        x: the images.
        labels: their classes.
        eps: in [1e-6, 1], in units of the [0, 1] pixel scale.
        steps: passes forward and back, at least 1.
        step_size: as eps; default eps / 4.
        random_start: start at a uniformly random perturbation instead of none: a function of (seed, sample id), the
            same for every eps, and filtered for a band.
        sample_ids: names of the images, a text each; needed for a random start.
        seed: of the start.
        band: of the perturbation; default all frequencies. Its offset must be 0.

    Returns a new tensor [N, C, H, W] in [0, 1], laid out as x: float64 if x is, else float32, in which the attack is
    computed. All images are attacked, also those that the model gets wrong already.

    Raises:
        ShapeError: an argument is not as above, the model returns no logits, its gradient is absent or not finite, or
            x wants a gradient, which the attack itself does not have, or the band holds no frequency of the images.
        BackendError: there is not enough memory.

    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.
    """
    if isinstance(model, nn.Module) and any(layer.training for layer in model.modules()):
        raise ShapeError("pgd: model must be in evaluation mode, got one in training mode; call model.eval() first")
    check_images("pgd", x)
    if not isinstance(labels, Tensor) or labels.shape != x.shape[:1] or labels.dtype != torch.int64:
        got = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ShapeError(f"pgd: labels must be int64 [{len(x)}], a class an image, got {got}")
    check_plain("pgd", {"x": x, "labels": labels})
    if labels.device != x.device:
        raise ShapeError(f"pgd: labels must be on {x.device} as x is, got {labels.device}; try labels.to(x.device)")
    check_pixels("pgd", "x", x)
    eps = number_between("pgd", "eps", eps, _SMALLEST_EPS, 1.0)
    step = eps / 4 if step_size is None else number_between("pgd", "step_size", step_size, _SMALLEST_EPS, 1.0)
    if isinstance(steps, bool) or not isinstance(steps, SupportsIndex) or index(steps) < 1:
        raise ShapeError(f"pgd: steps must be a whole number of at least 1, got {steps!r}")
    if band is not None and (not isinstance(band, Band) or band.offset):
        raise ShapeError(f"pgd: band must be a Band without an offset, got {band!r}; try bandpass(0.1, 0.2)")
    steps = index(steps)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    memory = memory_for("pgd", tuple(x.shape), dtype, x.device)
    # A tensor made in inference mode cannot be saved for a gradient.
    with torch.inference_mode(False), torch.enable_grad(), _repeatable(x.device), memory:
        images = pixels(x.detach(), dtype).clone()
        start = _start(images, sample_ids, seed).mul_(eps) if random_start else torch.zeros_like(images)
        loss = Loss(model, labels.clone())
        if band is None:
            attacked = _in_all_frequencies(loss, images, start, eps, step, steps)
        else:
            attacked = _in_band(loss, images, start, eps, step, steps, band)
        loss.check()
    return attacked


def _in_all_frequencies(loss: Loss, images: Tensor, start: Tensor, eps: float, step: float, steps: int) -> Tensor:
    low, high = (images - eps).clamp_(min=0.0), (images + eps).clamp_(max=1.0)
    attacked = start.add_(images).clamp_(low, high).requires_grad_()
    for _ in range(steps):
        gradient = loss.gradient(attacked, attacked)
        with torch.no_grad():
            attacked.add_(gradient.sign_(), alpha=step).clamp_(low, high)
    return attacked.detach()


def _in_band(loss: Loss, images: Tensor, start: Tensor, eps: float, step: float, steps: int, band: Band) -> Tensor:
    height, width = images.shape[2:]
    mask = torch.from_numpy(band.mask(height, width)).to(images)
    if not mask.any():
        raise ShapeError(
            f"pgd: band {band.name} holds no frequency of images of {height} x {width} pixels; "
            "widen it, or take larger images"
        )

    def filtered(field: Tensor) -> Tensor:
        kept: Tensor = torch.fft.irfft2(torch.fft.rfft2(field) * mask, s=field.shape[2:])
        return kept

    def fit(shift: Tensor) -> Tensor:
        return shift.mul_((eps / shift.abs().amax(dim=(1, 2, 3), keepdim=True)).clamp_(max=1.0))

    # Steps are filtered, not their sum: windows with values between 0 and 1 would take more of it every time.
    shift = fit(filtered(start)).requires_grad_()
    for _ in range(steps):
        gradient = loss.gradient((images + shift).clamp(0.0, 1.0), shift)
        with torch.no_grad():
            fit(shift.add_(filtered(filtered(gradient).sign_()), alpha=step))
    return (images + shift.detach()).clamp_(0.0, 1.0)


def _start(images: Tensor, sample_ids: Sequence[str] | None, seed: int) -> Tensor:
    """Uniform numbers in (-1, 1), like `images`."""
    if sample_ids is None:
        raise ShapeError("pgd: a random start needs sample_ids, a text an image; or pass random_start=False")
    keys, seed = sample_keys("pgd", sample_ids, len(images)), checked_seed("pgd", seed)
    start = torch.empty_like(images)
    for rows in chunks(0, len(images), _DRAWN_AT_ONCE):
        unit = unit_uniforms(seed, stream("pgd"), keys[rows], prod(images.shape[1:]), images.device)
        start[rows] = unit.mul_(2.0).sub_(1.0).view_as(start[rows])
    return start


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On CUDA, let cuDNN take only algorithms that give the same gradient each time."""
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
