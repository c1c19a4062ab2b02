# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image bytes to u8 crops by Pillow. This is the definition of the preprocessing; other decoders are held against it.

Resize so that the short side is `resize` (the long side is `int(resize * long / short)`), then cut the central square
at `int(round((side - crop) / 2))`, with Python's rounding: torchvision's `Resize` and `CenterCrop` on a Pillow image.
The EXIF orientation is not applied. Colors are those of `convert("RGB")`: palettes are looked up, CMYK is converted,
alpha is dropped, of an animation the first frame counts. One exception: 16-bit gray, which `convert("RGB")` clips to
white from level 256 on, keeps its high byte instead, as Pillow itself does with 16-bit RGB.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from visionbias.decode.header import PIXEL_LIMIT
from visionbias.errors import DataError
from visionbias.types import Preprocessing

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_REASON_LENGTH = 160  # characters


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the crop lies: the size to resize to, and the crop's upper left corner in it [pixels]."""

    resize_width: int
    resize_height: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class BadReason:
    """Stands in a list of crops for an image that could not be decoded."""

    text: str  # one short line


def geometry(width: int, height: int, preprocessing: Preprocessing) -> Geometry:
    """Resized size and crop offset for an image of `width` x `height` pixels.

    Raises:
        DataError: `resize` is None and the image is not exactly crop x crop; or the image is so elongated that resizing
            its short side makes it larger than `PIXEL_LIMIT`.
    """
    side = preprocessing.crop
    if preprocessing.resize is None:
        if (width, height) != (side, side):
            raise DataError(f"{width} x {height} pixels, wanted exactly {side} x {side}: ready crops are not resized")
        return Geometry(width, height, 0, 0)
    short, long = min(width, height), max(width, height)
    if short < 1:
        raise DataError(f"{width} x {height} pixels")
    new_short, new_long = preprocessing.resize, int(preprocessing.resize * long / short)
    if new_short * new_long > PIXEL_LIMIT:
        raise DataError(
            f"{width} x {height} pixels, too elongated: resized to {new_short} x {new_long}, limit {PIXEL_LIMIT} pixels"
        )
    new_width, new_height = (new_short, new_long) if width <= height else (new_long, new_short)
    return Geometry(new_width, new_height, round((new_width - side) / 2), round((new_height - side) / 2))


def decode_pillow(data: bytes, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Decode one image file to its crop, u8 [crop, crop, 3].

    Raises:
        DataError: the image cannot be decoded, or has no crop (see `geometry`). The message is a short reason without
            the image's id.
    """
    with _open(data) as image:
        where = geometry(image.width, image.height, preprocessing)
        try:
            rgb = _rgb(image)
            if preprocessing.resize is not None:
                rgb = rgb.resize((where.resize_width, where.resize_height), _FILTERS[preprocessing.interpolation])
                right, bottom = where.left + preprocessing.crop, where.top + preprocessing.crop
                rgb = rgb.crop((where.left, where.top, right, bottom))
            return np.array(rgb)
        except Exception as error:
            raise DataError(_reason(error)) from error


def _open(data: bytes) -> Image.Image:
    if not data:
        raise DataError("empty file")
    try:
        image = Image.open(BytesIO(data))
    except UnidentifiedImageError as error:
        raise DataError(_not_an_image(data)) from error
    except Exception as error:  # format plug-ins let through whatever damaged bytes cause: struct.error, KeyError ...
        raise DataError(_reason(error)) from error
    if image.width * image.height > PIXEL_LIMIT:
        raise DataError(f"{image.width} x {image.height} pixels, limit {PIXEL_LIMIT} pixels")
    if image.format == "EPS":
        raise DataError("EPS is a program for Ghostscript, which is not run on unknown files")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise DataError(f"32-bit pixels (Pillow mode {image.mode}) do not say which value is white")
    return image.convert("RGB")


def _not_an_image(data: bytes) -> str:
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, not an image"
    return "not an image that Pillow can read"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 3] + "..."


class PillowDecoder:
    """Decodes lists of image files on a pool of threads (Pillow releases the GIL)."""

    def __init__(self, preprocessing: Preprocessing, num_threads: int) -> None:
        self._preprocessing = preprocessing
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="visionbias-pillow")

    @staticmethod
    def name() -> str:
        """Decoder and version, as it stands in manifests."""
        return f"pillow-{PIL.__version__}"

    def submit(self, data: bytes) -> "Future[NDArray[np.uint8] | BadReason]":
        """Start to decode one image file; the result is u8 [crop, crop, 3] or the reason why not."""
        return self._pool.submit(self._decode_one, data)

    def decode(self, items: Sequence[bytes]) -> list[NDArray[np.uint8] | BadReason]:
        """Decode image files; result i, u8 [crop, crop, 3] or the reason why not, belongs to item i."""
        return [future.result() for future in [self.submit(item) for item in items]]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _decode_one(self, data: bytes) -> NDArray[np.uint8] | BadReason:
        try:
            return decode_pillow(data, self._preprocessing)
        except DataError as error:
            return BadReason(str(error))


def available_threads() -> int:
    """CPUs that this process may run on, which in a container or under a scheduler are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
