# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `filter_bank` and its Module."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from visionbias.errors import ShapeError
from visionbias.ops.filter_bank.bands import Band
from visionbias.ops.filter_bank.custom_op import check_derivative, encode, filter_bank_op
from visionbias.ops.filter_bank.plan import Plan, plan
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.memory import recorder
from visionbias.ops.tensors import check_images, check_out, check_output_kind, per_channel


def filter_bank(
    x: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1], any strides
    bands: Band | Iterable[Band],  # F of them
    *,
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [F, N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """Filter every image with every band: (clip(filtered + offset, 0, 1) - mean) / std, rounded to `dtype`.

    Returns a tensor [F, N, C, H, W], band by band, whose [N, C, H, W] slices have `memory_format`; or `out`,
    overwritten, which must not overlap x. Floats outside [0, 1] are filtered as they are. Computed in float32, or in
    float64 for that `dtype`. Differentiable in a floating x by `backward`, except with `out`; not in mean and std.

    Raises:
        ShapeError: a tensor has the wrong shape, dtype or device, there are no bands, or a gradient is wanted where
            there is none.
        BackendError: no backend, or not the one asked for, can serve the call.

    Source: Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?", CVPR 2024 (box window).
    """
    check_output_kind("filter_bank", dtype, memory_format)
    spec = _spec(x, bands, mean, std, dtype)
    check_derivative(x)
    wants_grad = x.requires_grad and torch.is_grad_enabled()
    if out is not None and wants_grad:
        raise ShapeError("filter_bank: out= is not differentiable, and x requires a gradient; leave out= away")
    if wants_grad or x.is_meta or torch.compiler.is_dynamo_compiling() or recorder(x):
        channels_last = memory_format is torch.channels_last
        y: Tensor = filter_bank_op(x, encode(spec.bands), spec.mean, spec.std, dtype, channels_last, backend)
        if out is None:
            return y
        check_out("filter_bank", out, tuple(y.shape), dtype, x.device)
        return out.copy_(y)
    return plan(spec, backend).run(x, out, memory_format)


class FilterBank(nn.Module):
    """`filter_bank` with its arguments stored; has no parameters. See `filter_bank` for shapes and errors."""

    def __init__(
        self,
        bands: Band | Iterable[Band],
        *,
        mean: Sequence[float] | Tensor | None = None,
        std: Sequence[float] | Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        check_output_kind("filter_bank", dtype, memory_format)
        self.bands = _tuple(bands)
        self.mean = mean
        self.std = std
        self.dtype = dtype
        self.channels_last = memory_format is torch.channels_last  # torch.save takes no memory_format
        self.backend = backend

    @property
    def memory_format(self) -> torch.memory_format:
        """Of the [N, C, H, W] slices of the result."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [F, N, C, H, W]."""
        return filter_bank(
            x,
            self.bands,
            mean=self.mean,
            std=self.std,
            dtype=self.dtype,
            memory_format=self.memory_format,
            backend=self.backend,
        )

    def plan(self, x: Tensor) -> Plan:
        """What is kept for images of the size, dtype and device of x: `plan.run(images, out=buffer)`."""
        return plan(_spec(x, self.bands, self.mean, self.std, self.dtype), self.backend)

    def extra_repr(self) -> str:
        """Names of the bands and the output dtype."""
        return f"{', '.join(band.name for band in self.bands)}, dtype={self.dtype}"


def _tuple(bands: Band | Iterable[Band]) -> tuple[Band, ...]:
    bank = (bands,) if isinstance(bands, Band) else tuple(bands) if isinstance(bands, Iterable) else ()
    if not bank or not all(isinstance(band, Band) for band in bank):
        raise ShapeError(f"filter_bank: bands must be one or more Band, got {bands!r}; try [lowpass(0.1)]")
    return bank


def _spec(
    x: Tensor,
    bands: Band | Iterable[Band],
    mean: Sequence[float] | Tensor | None,
    std: Sequence[float] | Tensor | None,
    dtype: torch.dtype,
) -> Spec:
    bank = _tuple(bands)
    check_images("filter_bank", x)
    c, h, w = x.shape[1:]
    return Spec(
        bands=bank,
        height=h,
        width=w,
        mean=per_channel("filter_bank", "mean", mean, c, 0.0),
        std=per_channel("filter_bank", "std", std, c, 1.0),
        input=x.dtype,
        dtype=dtype,
        device=x.device,
    )
