# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The Pillow decoder against torchvision, which implements the same arithmetic independently."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from visionbias.decode.header import PIXEL_LIMIT
from visionbias.decode.pillow import BadReason, PillowDecoder, decode_pillow, geometry
from visionbias.errors import DataError
from visionbias.types import Preprocessing

AWKWARD = [(1, 1), (1, 90), (5, 7), (224, 224), (223, 500), (255, 256), (257, 256), (500, 375), (375, 500), (900, 31)]


@pytest.mark.parametrize("size", AWKWARD, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (235, 224), (73, 73)])
def test_equals_torchvision(draw, encode, torchvision_crop, size, interpolation, resize, crop) -> None:
    preprocessing = Preprocessing(resize, crop, interpolation)
    image = draw(*size)
    assert np.array_equal(decode_pillow(encode(image, "PNG"), preprocessing), torchvision_crop(image, preprocessing))


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 500), st.data())
def test_crop_lies_inside_the_resized_image(width: int, height: int, resize: int, data: st.DataObject) -> None:
    crop = data.draw(st.integers(1, resize))
    try:
        where = geometry(width, height, Preprocessing(resize, crop))
    except DataError:
        assert resize * resize * max(width, height) / min(width, height) > PIXEL_LIMIT
        return
    assert min(where.resize_width, where.resize_height) == resize
    assert (where.resize_width - where.resize_height) * (width - height) >= 0
    for start, extent in ((where.left, where.resize_width), (where.top, where.resize_height)):
        assert 0 <= start <= extent - crop
        assert abs(2 * start - (extent - crop)) <= 1


def test_geometry_rounds_as_python_does() -> None:
    where = geometry(500, 375, Preprocessing())
    assert (where.resize_width, where.resize_height, where.left, where.top) == (341, 256, 58, 16)
    assert geometry(257, 256, Preprocessing()).left == 16  # (257 - 224) / 2 = 16.5 goes to the even neighbor


def test_without_a_resize_only_the_exact_size_is_taken(draw, encode) -> None:
    preprocessing = Preprocessing(resize=None, crop=64)
    image = draw(64, 64)
    assert np.array_equal(decode_pillow(encode(image, "PNG"), preprocessing), np.asarray(image))
    with pytest.raises(DataError, match="65 x 64 pixels, wanted exactly 64 x 64"):
        decode_pillow(encode(draw(65, 64), "PNG"), preprocessing)


def test_elongated_image_is_refused_before_it_is_resized(draw, encode) -> None:
    with pytest.raises(DataError, match="1 x 5000 pixels, too elongated: resized to 256 x 1280000"):
        decode_pillow(encode(draw(1, 5000), "PNG"), Preprocessing())


def _variants(draw, encode) -> dict[str, bytes]:
    image = draw(310, 270)
    second = draw(310, 270, seed=1)
    rgba = image.copy()
    rgba.putalpha(draw(310, 270, "L", seed=2))
    palette = image.quantize(64)
    return {
        "cmyk jpeg": encode(image.convert("CMYK"), "JPEG"),
        "gray jpeg": encode(image.convert("L"), "JPEG"),
        "rgb-coded jpeg": encode(image, "JPEG", keep_rgb=True),
        "gray png": encode(image.convert("L"), "PNG"),
        "gray-alpha png": encode(image.convert("LA"), "PNG"),
        "rgba png": encode(rgba, "PNG"),
        "rgb png with a transparent color": encode(image, "PNG", transparency=(0, 0, 0)),
        "palette png": encode(palette, "PNG"),
        "palette png with transparency": encode(palette, "PNG", transparency=3),
        "1-bit png": encode(image.convert("1"), "PNG"),
        "animated gif": encode(palette, "GIF", save_all=True, append_images=[second.quantize(64)]),
        "animated webp": encode(image, "WEBP", save_all=True, append_images=[second], lossless=True),
        "animated png": encode(image, "PNG", save_all=True, append_images=[second]),
        "tiff": encode(image, "TIFF"),
        "bmp": encode(image, "BMP"),
    }


def test_every_kind_that_pillow_decodes_is_its_convert_rgb(draw, encode, torchvision_crop) -> None:
    for name, data in _variants(draw, encode).items():
        expected = torchvision_crop(Image.open(BytesIO(data)), Preprocessing())
        assert np.array_equal(decode_pillow(data, Preprocessing()), expected), name


def test_exif_orientation_is_not_applied(draw, encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = draw(300, 260)
    rotated = encode(image, "JPEG", exif=exif)
    assert np.array_equal(
        decode_pillow(rotated, Preprocessing()), decode_pillow(encode(image, "JPEG"), Preprocessing())
    )


def test_16_bit_gray_keeps_its_high_byte(draw, encode) -> None:
    gray = draw(300, 260, "L")
    wide = np.asarray(gray).astype(np.uint16) << 8
    expected = decode_pillow(encode(gray, "PNG"), Preprocessing())
    for low_byte in (0, 255):
        for file_format in ("PNG", "TIFF"):
            data = encode(Image.fromarray(wide | low_byte), file_format)
            assert np.array_equal(decode_pillow(data, Preprocessing()), expected)


def test_16_bit_rgb_is_pillows(draw, make_png) -> None:
    image = np.asarray(draw(64, 64))
    rows = (image.astype(">u2") << 8 | 77).astype(">u2")
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    data = make_png(64, 64, 16, 2, packed, None)
    assert np.array_equal(decode_pillow(data, Preprocessing(None, 64)), image)


def test_32_bit_pixels_are_refused(encode) -> None:
    data = encode(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    with pytest.raises(DataError, match=r"32-bit pixels \(Pillow mode F\) do not say which value is white"):
        decode_pillow(data, Preprocessing())


def test_eps_is_not_run(draw, encode) -> None:
    with pytest.raises(DataError, match="EPS is a program"):
        decode_pillow(encode(draw(8, 8), "EPS"), Preprocessing())


def test_rows_stay_in_order_around_bad_ones(draw, encode) -> None:
    good = [encode(draw(40, 30, seed=seed), "PNG") for seed in range(5)]
    decoder = PillowDecoder(Preprocessing(), 2)
    results = decoder.decode([good[0], b"", good[1], good[2], b"junk", good[3], good[4]])
    decoder.close()
    kept = [row for row, result in enumerate(results) if not isinstance(result, BadReason)]
    assert kept == [0, 2, 3, 5, 6]
    for row, data in zip(kept, good, strict=True):
        assert np.array_equal(results[row], decode_pillow(data, Preprocessing()))
