# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The functions of spectrum_mix. Results are clipped to [0, 1], normalized and cast; none has a gradient."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from visionbias.errors import DataError, ShapeError
from visionbias.ops.chunks import pixels
from visionbias.ops.memory import check_dense, check_plain, memory_for
from visionbias.ops.output import Output, prepare_output, writing
from visionbias.ops.philox import checked_seed, sample_keys, stream, unit_normals, unit_uniforms
from visionbias.ops.silhouette import silhouette
from visionbias.ops.spectrum_mix.kernels import kernel
from visionbias.ops.spectrum_mix.spec import Spec
from visionbias.ops.tensors import FLOAT_DTYPES, check_images, check_pixels, luma, number_between, same_images

METHODS = ("phase", "silhouette")
LARGEST_AMPLITUDE = 1e12  # far beyond that of images in [0, 1], and float32 can compute with it


def cue_conflict(
    shape: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    texture: Tensor,  # [N, C, H, W], of the same dtype
    *,
    method: str = "phase",
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """The shape of one image with the texture of another, [N, C, H, W].

    Methods:
      phase       phase of `shape`, amplitude of `texture`, for each channel; a bin in which `shape` has no phase passes
      silhouette  the dark part of `shape`, as in published silhouettes, filled with `texture` on mid-grey

    Raises:
        DataError: there is no such method.
        ShapeError: a tensor has the wrong shape, dtype or device, the two differ, or one wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    if method not in METHODS:
        raise DataError(f"cue_conflict: method must be one of {', '.join(METHODS)}; got {method!r}")
    check_images("cue_conflict", shape, "shape")
    same_images("cue_conflict", "texture", texture, shape)
    if method == "silhouette":
        check_plain("cue_conflict", {"shape": shape, "texture": texture})
        check_pixels("cue_conflict", "shape", shape)
        # Dark is the shape, as published silhouettes are drawn.
        with memory_for("cue_conflict", tuple(shape.shape), torch.float32, shape.device):
            mask = 1.0 - luma(pixels(shape, torch.float32))
        return silhouette(
            mask, texture, mean=mean, std=std, dtype=dtype, memory_format=memory_format, out=out, backend=backend
        )
    beside = {"texture": texture}
    output, out = prepare_output(
        "cue_conflict", shape, (), mean, std, dtype, memory_format, out, name="shape", beside=beside
    )
    check_pixels("cue_conflict", "texture", texture)
    with writing("cue_conflict", out):
        kernel(_spec(shape, output), backend).phase_swap(shape, texture, out)
    return out


def phase_swap_both(
    a: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    b: Tensor,  # [N, C, H, W], of the same dtype
    *,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [2, N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """`cue_conflict` by phase both ways, [2, N, C, H, W]: the shape of a with the texture of b, then the other way.

    Raises:
        ShapeError: a tensor has the wrong shape, dtype or device, the two differ, or one wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    check_images("phase_swap_both", a, "a")
    same_images("phase_swap_both", "b", b, a)
    output, out = prepare_output(
        "phase_swap_both", a, (2,), mean, std, dtype, memory_format, out, name="a", beside={"b": b}
    )
    check_pixels("phase_swap_both", "b", b)
    with writing("phase_swap_both", out):
        kernel(_spec(a, output), backend).phase_swap_both(a, b, out)
    return out


def random_phase(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    *,
    sample_ids: Sequence[str],  # [N]
    seed: int = 0,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """Amplitude and mean of each channel of x, with the phase of white noise: a function of (seed, sample id).

    `sample_ids` names the images, a text each: the same name has the same phase in any batch.
    Returns [N, C, H, W].

    Raises:
        ShapeError: an argument is of another shape or kind, or x wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    output, out = prepare_output("random_phase", x, (), mean, std, dtype, memory_format, out)
    keys = sample_keys("random_phase", sample_ids, len(x))
    seed, n = checked_seed("random_phase", seed), prod(x.shape[1:])
    with writing("random_phase", out):
        drawn = unit_normals(seed, stream("random_phase"), keys, n, x.device)
        kernel(_spec(x, output), backend).random_phase(x, drawn.view(x.shape), out)
    return out


def phase_noise(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    *,
    width: float,  # degrees, 0 ... 180
    sample_ids: Sequence[str],  # [N]
    seed: int = 0,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """x with uniform noise in [-width, width] added to its phase: a function of (seed, sample id), scaled by width.

    `width` is in degrees, 0 to 180; `sample_ids` names the images, a text each. All channels of an image take the same
    noise, so their relations stay. Returns [N, C, H, W].

    Raises:
        ShapeError: an argument is of another shape or kind, or x wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.

    Source: Geirhos et al., "Generalisation in humans and deep neural networks", NeurIPS 2018.
    """
    output, out = prepare_output("phase_noise", x, (), mean, std, dtype, memory_format, out)
    width = number_between("phase_noise", "width", width, 0.0, 180.0)
    h, half = x.shape[2], x.shape[3] // 2 + 1
    keys = sample_keys("phase_noise", sample_ids, len(x))
    seed = checked_seed("phase_noise", seed)
    with writing("phase_noise", out):
        drawn = unit_uniforms(seed, stream("phase_noise"), keys, h * half, x.device)
        kernel(_spec(x, output), backend).phase_noise(x, drawn.view(-1, h, half), width, out)
    return out


def power_equalize(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    amplitude: Tensor,  # [H, W // 2 + 1] or [C, H, W // 2 + 1], see `mean_amplitude`
    *,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """Phase of x with another amplitude, such as the mean one of a data set.

    Raises:
        ShapeError: an argument is of another shape or kind, an amplitude is negative or not finite, or x wants a
            gradient.
        BackendError: no backend, or not the one asked for, can serve the call.

    Source: Geirhos et al., "Generalisation in humans and deep neural networks", NeurIPS 2018.
    """
    check_images("power_equalize", x)
    _, c, h, w = x.shape
    shapes = ((h, w // 2 + 1), (c, h, w // 2 + 1))
    if isinstance(amplitude, Tensor):
        check_dense("power_equalize", "amplitude", amplitude)
    if not isinstance(amplitude, Tensor) or tuple(amplitude.shape) not in shapes or amplitude.device != x.device:
        got = f"{tuple(amplitude.shape)} on {amplitude.device}" if isinstance(amplitude, Tensor) else repr(amplitude)
        raise ShapeError(f"power_equalize: amplitude must be {shapes[0]} or {shapes[1]} on {x.device}, got {got}")
    beside = {"amplitude": amplitude}
    output, out = prepare_output("power_equalize", x, (), mean, std, dtype, memory_format, out, beside=beside)
    fits = amplitude.dtype in FLOAT_DTYPES and ((amplitude >= 0) & (amplitude <= LARGEST_AMPLITUDE)).all()
    if not fits:
        raise ShapeError(
            f"power_equalize: amplitude must hold floating numbers of at least 0 and at most {LARGEST_AMPLITUDE:g}"
        )
    with writing("power_equalize", out):
        kernel(_spec(x, output), backend).power_equalize(x, amplitude, out)
    return out


def mean_amplitude(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], N > 0
) -> Tensor:  # [C, H, W // 2 + 1] float64
    """The mean of |rfft2| over images. For more of them than fit in memory: the mean of this over equal batches.

    Raises:
        ShapeError: x is not as above.
    """
    check_images("mean_amplitude", x)
    check_plain("mean_amplitude", {"x": x})
    check_pixels("mean_amplitude", "x", x)
    if not len(x):
        raise ShapeError("mean_amplitude: wanted at least one image, got none")
    with memory_for("mean_amplitude", tuple(x.shape[1:]), torch.float64, x.device):
        total = torch.zeros(x.shape[1], x.shape[2], x.shape[3] // 2 + 1, dtype=torch.float64, device=x.device)
        for image in x:
            total += torch.fft.rfft2(pixels(image, torch.float64)).abs()
        return total / len(x)


def _spec(x: Tensor, output: Output) -> Spec:
    return Spec(x.shape[2], x.shape[3], x.dtype, output)
