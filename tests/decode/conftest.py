# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images that the tests of decoding draw themselves."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visionbias.types import Preprocessing, Sample

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`draw(width, height, mode="RGB", seed=0)`: smooth structure with fine noise, different for each seed."""

    def _draw(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
        rng = np.random.default_rng([seed, width, height])
        coarse = rng.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = smooth + rng.integers(-9, 10, smooth.shape, dtype=np.int16)
        return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).convert(mode)

    return _draw


@pytest.fixture(scope="session")
def encode() -> Encode:
    """`encode(image, format, **options)`: the bytes of an image file."""

    def _encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
        buffer = BytesIO()
        image.save(buffer, file_format, **options)
        return buffer.getvalue()

    return _encode


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    """`make_png(width, height, depth, color, packed, extra)`: a PNG of a zlib stream and an extra chunk or None."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def _make(
        width: int, height: int, depth: int, color: int, packed: bytes, extra: tuple[bytes, bytes] | None
    ) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
        middle = b"" if extra is None else chunk(*extra)
        body = chunk(b"IHDR", header) + middle + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + body

    return _make


@pytest.fixture(scope="session")
def torchvision_crop() -> Callable[[Image.Image, Preprocessing], NDArray[np.uint8]]:
    """The crop that torchvision makes of a Pillow image."""
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    def _crop(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
        steps: list[Any] = [CenterCrop(preprocessing.crop)]
        if preprocessing.resize is not None:
            steps.insert(0, Resize(preprocessing.resize, InterpolationMode(preprocessing.interpolation)))
        return np.asarray(Compose(steps)(image.convert("RGB")))

    return _crop


@pytest.fixture
def write_samples(tmp_path: Path) -> Callable[[Mapping[str, bytes]], list[Sample]]:
    """Write files below `tmp_path`/images and give their samples in the mapping's order."""

    def _write(files: Mapping[str, bytes]) -> list[Sample]:
        root = tmp_path / "images"
        samples = []
        for row, (name, content) in enumerate(files.items()):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            samples.append(Sample(name, path, row % 3))
        return samples

    return _write


@pytest.fixture(scope="session")
def run_child() -> Callable[..., str]:
    """`run_child(script, *arguments)`: what a new Python process prints; it must succeed."""

    def _run(script: str, *arguments: str) -> str:
        command = [sys.executable, "-c", script, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    return _run
