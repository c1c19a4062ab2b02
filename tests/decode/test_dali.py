# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""DALI, run for real on its CPU backend, against Pillow."""

import random
import sys
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visionbias.decode import dali
from visionbias.decode.dali import DaliDecoder
from visionbias.decode.header import plain_size
from visionbias.decode.pillow import BadReason, PillowDecoder
from visionbias.errors import BackendError
from visionbias.types import Preprocessing

pytest.importorskip("nvidia.dali")

SIZES = [(1, 1), (1, 90), (7, 300), (100, 80), (224, 224), (255, 383), (256, 256), (257, 256), (500, 375), (375, 501)]
SIZES += [(640, 641), (1201, 900), (333, 1000)]


@pytest.fixture(scope="module")
def both() -> tuple[DaliDecoder, PillowDecoder]:
    return DaliDecoder(Preprocessing(), 16, 2), PillowDecoder(Preprocessing(), 2)


def _difference(ours: NDArray[np.uint8] | BadReason, pillows: NDArray[np.uint8] | BadReason) -> NDArray[np.int16]:
    assert not isinstance(ours, BadReason)
    assert not isinstance(pillows, BadReason)
    return np.abs(ours.astype(np.int16) - pillows)


def test_within_one_level_of_pillow(draw, encode, both) -> None:
    items = []
    for size in SIZES:
        image = draw(*size)
        items += [encode(image, "JPEG", quality=90), encode(image, "PNG"), encode(image.convert("L"), "JPEG")]
        items += [encode(image, "JPEG", subsampling=0, progressive=True), encode(image.convert("L"), "PNG")]
        items += [encode(image, "JPEG", subsampling=1)]
    assert all(plain_size(item) is not None for item in items)
    for ours, pillows in zip(both[0].decode(items), both[1].decode(items), strict=True):
        difference = _difference(ours, pillows)
        assert difference.max() <= 1
        assert difference.mean() < 0.25


def test_within_one_level_on_real_images(shared, both) -> None:
    paths = sorted((shared / "data" / "cue-conflict").glob("*/*.png"))
    items = [path.read_bytes() for path in paths[::4]]
    assert items
    assert all(plain_size(item) is not None for item in items)
    for ours, pillows in zip(both[0].decode(items), both[1].decode(items), strict=True):
        assert _difference(ours, pillows).max() <= 1


def test_without_a_resize_equal_to_pillow(draw, encode) -> None:
    preprocessing = Preprocessing(None, 96, "bicubic")
    image = draw(96, 96)
    items = [
        encode(image, "PNG"),
        encode(image, "JPEG"),
        encode(draw(97, 96), "PNG"),
        encode(image.convert("L"), "JPEG"),
    ]
    ours, pillows = DaliDecoder(preprocessing, 4, 1).decode(items), PillowDecoder(preprocessing, 1).decode(items)
    assert ours[2] == pillows[2] == BadReason("97 x 96 pixels, wanted exactly 96 x 96: ready crops are not resized")
    for row in (0, 1, 3):
        assert np.array_equal(ours[row], pillows[row])


def test_exif_orientation_is_not_applied(draw, encode, both) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = draw(300, 260)
    items = [encode(image, "JPEG", exif=exif), encode(image, "JPEG")]
    assert plain_size(items[0]) == (300, 260)
    rotated, plain = both[0].decode(items)
    assert np.array_equal(rotated, plain)


@pytest.mark.parametrize("pixels", [None, 30_000])
def test_rows_stay_in_order_over_batches(draw, encode, both, monkeypatch, pixels) -> None:
    if pixels is not None:
        monkeypatch.setattr(dali, "_BATCH_PIXELS", pixels)
    items = [encode(draw(120 + seed, 90, seed=seed), "PNG" if seed % 2 else "JPEG") for seed in range(9)]
    items[4] = b"not an image"
    items[6] = encode(draw(130, 90, "RGBA", seed=6), "PNG")
    decoder = DaliDecoder(Preprocessing(), 3, 1)
    for _ in range(2):
        results = decoder.decode(items)
        assert results[4] == BadReason("not an image that Pillow can read")
        for row, pillows in enumerate(both[1].decode(items)):
            assert row == 4 or _difference(results[row], pillows).max() <= 1
    assert decoder.decode([]) == []


def test_batch_that_dali_refuses_loses_no_neighbor(draw, encode, make_png, both) -> None:
    pixels = np.asarray(draw(64, 64))
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    broken = make_png(64, 64, 8, 2, packed[:-1] + bytes([packed[-1] ^ 1]), None)  # wrong Adler sum: both refuse
    unsummed = make_png(64, 64, 8, 2, packed[:-4], None)  # no Adler sum: DALI refuses, Pillow does not
    assert plain_size(broken) == plain_size(unsummed) == (64, 64)
    items = [encode(draw(99, 80, seed=seed), "JPEG") for seed in range(6)]
    items[2:2] = [broken, unsummed]
    results = both[0].decode(items)
    pillows = both[1].decode(items)
    assert isinstance(results[2], BadReason)
    assert results[2] == pillows[2]
    for row in (0, 1, 3, 4, 5, 6, 7):
        assert _difference(results[row], pillows[row]).max() <= 1


def test_damaged_files_are_refused_as_pillow_refuses_them(draw, encode, both) -> None:
    image = draw(200, 170)
    originals = [encode(image, "JPEG"), encode(image.convert("L"), "JPEG"), encode(image, "JPEG", progressive=True)]
    originals += [encode(image, "PNG")]
    rng = random.Random(5)
    items = []
    for _ in range(160):
        data = bytearray(rng.choice(originals))
        place = rng.randrange(2, len(data) - 2)
        damage = rng.choice(["cut", "flip", "insert", "marker", "drop"])
        if damage == "cut":
            del data[place:]
        elif damage == "flip":
            data[place] ^= rng.randrange(1, 256)
        elif damage == "insert":
            data[place:place] = rng.randbytes(20)
        elif damage == "marker":
            data[place:place] = bytes([255, rng.randrange(1, 255)])
        else:
            del data[place : place + rng.randrange(1, 400)]
        items.append(bytes(data))
    ours, pillows = [both[0].decode([item])[0] for item in items], both[1].decode(items)
    refused = [isinstance(result, BadReason) for result in pillows]
    assert [isinstance(result, BadReason) for result in ours] == refused
    assert 20 < sum(refused) < 140
    for row, bad in enumerate(refused):
        assert bad or _difference(ours[row], pillows[row]).max() <= 1


@pytest.mark.parametrize("chunk", [(b"gAMA", b"\0\0\0"), (b"pHYs", b"\0"), (b"tRNS", bytes(6)), (b"iCCP", b"x")])
def test_png_chunks_on_which_the_decoders_differ_go_to_pillow(draw, make_png, chunk) -> None:
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(draw(16, 16))))
    assert plain_size(make_png(16, 16, 8, 2, packed, None)) == (16, 16)
    assert plain_size(make_png(16, 16, 8, 2, packed, (b"gAMA", bytes(4)))) == (16, 16)
    assert plain_size(make_png(16, 16, 8, 2, packed, chunk)) is None
    assert plain_size(make_png(16, 16, 16, 2, packed, None)) is None
    assert plain_size(make_png(16, 16, 8, 6, packed, None)) is None


def test_bicubic_resizing_is_refused_in_one_sentence() -> None:
    with pytest.raises(BackendError, match="wanted bilinear resizing, got bicubic"):
        DaliDecoder(Preprocessing(interpolation="bicubic"), 4, 1)


def test_absent_dali_is_a_backend_error(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.raises(BackendError, match=r"nvidia\.dali cannot be imported .* install nvidia-dali-cuda130"):
        DaliDecoder(Preprocessing(), 4, 1)
