# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Plain records that several layers exchange. This module imports no array library."""

from dataclasses import asdict, dataclass
from math import isfinite
from operator import index
from pathlib import Path
from typing import Literal

from visionbias.errors import DataError

Interpolation = Literal["bilinear", "bicubic"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One labeled image of a data set."""

    id: str  # path below the data root, POSIX separators; unique in its data set
    path: Path  # where the file is
    label: int  # index into the data set's classes


@dataclass(frozen=True, slots=True)
class BadSample:
    """An image that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image file becomes a square u8 crop.

    The short side is resized to `resize` pixels (`None`: no resize, as for sets that are published as crops), then the
    central `crop` x `crop` pixels are taken. Pillow's arithmetic is the definition.
    """

    resize: int | None = 256
    crop: int = 224
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        for name in ("resize", "crop"):
            value = getattr(self, name)
            if name == "resize" and value is None:
                continue
            try:
                object.__setattr__(self, name, index(value))  # NumPy's whole numbers too, as Python's
            except TypeError:
                raise DataError(f"Preprocessing: {name} must be a whole number of pixels, got {value!r}") from None
        if self.crop < 1 or (self.resize is not None and self.resize < self.crop):
            raise DataError(
                f"Preprocessing: wanted 1 <= crop <= resize, got resize={self.resize}, crop={self.crop}; "
                "enlarge resize, or pass resize=None for images that are crops already"
            )
        if self.interpolation not in ("bilinear", "bicubic"):
            raise DataError(f"Preprocessing: interpolation must be 'bilinear' or 'bicubic', got {self.interpolation!r}")

    def as_dict(self) -> dict[str, int | str | None]:
        """The fields as plain values, for manifests and cache keys."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Normalization:
    """Per-channel mean and standard deviation in units of the [0, 1] pixel scale."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            try:
                object.__setattr__(self, name, tuple(map(float, values)))  # lists and arrays would not be hashable
            except (TypeError, ValueError, OverflowError):
                raise DataError(f"Normalization: {name} must be one number a channel, got {values!r}") from None
        finite = all(map(isfinite, (*self.mean, *self.std)))
        if len(self.mean) != len(self.std) or not self.mean or not min(self.std) > 0 or not finite:
            raise DataError(
                f"Normalization: wanted as many finite means as positive deviations, "
                f"got mean={self.mean}, std={self.std}"
            )
