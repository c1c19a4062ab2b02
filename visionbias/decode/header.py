# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Picks out, from a file's structure alone, the JPEG and PNG files that DALI decodes as Pillow does.

What is refused here goes to Pillow, which is the definition; so every doubt is a refusal. The rules come from trying
both decoders on damaged files: DALI accepts some that Pillow refuses (a stray marker inside a baseline scan, a short or
wrongly checksummed ancillary PNG chunk) and reads 16-bit gray differently.
"""

import re
import struct
import zlib

PIXEL_LIMIT = 89_478_485  # pixels: 256 MiB of RGB, Pillow's own limit against decompression bombs

_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks that change no pixel, with the lengths Pillow insists on (None: any).
_PNG_CHUNKS: dict[bytes, tuple[int, ...] | None] = {
    b"gAMA": (4,),
    b"cHRM": (32,),
    b"sRGB": (1,),
    b"pHYs": (9,),
    b"tIME": (7,),
    b"bKGD": (2, 6),
    b"tEXt": None,
    b"IDAT": None,
}
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
# Within entropy-coded data 0xFF is followed by 0x00 (stuffing), a restart marker, or a fill byte.
_STRAY_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Width and height [pixels] of a JPEG or PNG that DALI may decode, or None: leave it to Pillow.

    May: complete, 8 bits, gray or RGB, at most `PIXEL_LIMIT` pixels, and nothing in it on which the decoders differ.
    """
    if data.startswith(b"\xff\xd8\xff"):
        size = _jpeg_size(data)
    elif data.startswith(_PNG):
        size = _png_size(data)
    else:
        return None
    return size if size is not None and 0 < size[0] * size[1] <= PIXEL_LIMIT else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    # Entropy-coded data cannot hold FF D9, so a file that ends in it was not cut inside a scan.
    if not data.endswith(b"\xff\xd9"):
        return None
    position, size, baseline = 2, None, False
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">xBH", data, position)
        if data[position] != 0xFF or not 0xC0 <= marker <= 0xFE or length < 2 or position + 2 + length > len(data):
            return None
        segment = data[position + 4 : position + 2 + length]
        position += 2 + length
        if marker in _BASELINE or marker == _PROGRESSIVE:
            if size is not None:
                return None
            size, baseline = _jpeg_frame(segment), marker in _BASELINE
        elif marker == 0xDA:
            if baseline and _STRAY_MARKER.search(data, position, len(data) - 2):
                return None
            return size
        elif marker == 0xEE and segment.startswith(b"Adobe") and segment[11:12] != b"\x01":
            return None  # CMYK, or RGB stored without conversion
        elif 0xC3 <= marker <= 0xCF and marker != 0xC4:
            return None  # lossless, hierarchical or arithmetic coding
    return None


def _jpeg_frame(segment: bytes) -> tuple[int, int] | None:
    if len(segment) < 6:
        return None
    precision, height, width, components = struct.unpack_from(">BHHB", segment)
    # Other component ids can mean RGB without conversion, which libjpeg decides by a heuristic.
    identifiers = {1: (b"\x00", b"\x01"), 3: (b"\x01\x02\x03",)}.get(components, ())
    if precision != 8 or len(segment) != 6 + 3 * components or segment[6::3] not in identifiers:
        return None
    return width, height


def _png_size(data: bytes) -> tuple[int, int] | None:
    size, position, seen_pixels = None, len(_PNG), False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            return None
        content = data[position + 8 : end - 4]
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end], "big"):
            return None
        if kind == b"IEND":
            return size if seen_pixels and length == 0 and end == len(data) else None
        if size is None:
            if kind != b"IHDR" or length != 13:
                return None
            width, height, depth, color, *methods = struct.unpack(">IIBBBBB", content)
            if depth != 8 or color not in (0, 2) or methods != [0, 0, 0]:
                return None
            size = width, height
        else:
            lengths = _PNG_CHUNKS.get(kind, ())
            if lengths is not None and length not in lengths:
                return None
            seen_pixels |= kind == b"IDAT"
        position = end
    return None
