# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""filter_bank as matrix products in the real Fourier basis (fourier.py), in Triton.

analyze     x [N, C, H, W] -> z [N, C, KH, KW] f32: basis_h^T x basis_w
synthesize  z, x -> out [F, N, C, H, W]: basis_h (weights z) basis_w^T for each mask; for each band that it serves that
            or its complement in x, offset, clip, scale and shift, cast, store

A program makes one tile of one channel of one image. It runs over the frequencies along H, DEPTH at a time: a strip of
the product along W first, which the product along H adds to the tile at once, so that strips never leave the chip.

Tensor cores multiply float16 and add in float32, where they cut off instead of rounding. EXACT holds a float32 operand
as the sum of two float16 and takes three of the four products, all but that of the low halves, in short sums that are
added up outside of the tensor cores; else the high halves do, in long sums.

Tiles at the lower and right ends overlap their neighbors, whose pixels they compute alike, bit for bit: no pixel needs
a mask, unless the image is smaller than a tile (MASKED). README.md counts operations and bytes.
"""

# Triton's arguments carry no types, and its constants are upper case.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
# ruff: noqa: N803

import triton
import triton.language as tl


@triton.jit
def _halves(value, EXACT: tl.constexpr):
    """Float16 (high, low) whose sum is the float32 value to 22 bits; low is used in EXACT only."""
    high = value.to(tl.float16)
    low = (value - high.to(tl.float32)).to(tl.float16) if EXACT else high
    return high, low


@triton.jit
def _load_halves(address, low_at, EXACT: tl.constexpr):
    high = tl.load(address)
    low = tl.load(address + low_at) if EXACT else high
    return high, low


@triton.jit
def _add_product(total, a, a_low, b, b_low, EXACT: tl.constexpr):
    if not EXACT:
        return tl.dot(a, b, total)
    return total + tl.dot(a, b, tl.dot(a, b_low, tl.dot(a_low, b)))


@triton.jit
def _part(tile, part: tl.constexpr, PARTS: tl.constexpr):
    """Columns of a tile, one of PARTS equal strips."""
    if PARTS == 1:
        return tile
    else:  # noqa: RET505 (Triton compiles what follows a return)
        half: tl.constexpr = PARTS // 2
        left, right = tl.split(tl.permute(tl.reshape(tile, [tile.shape[0], 2, tile.shape[1] // 2]), [0, 2, 1]))
        return _part(left, part, half) if part < half else _part(right, part - half, half)


@triton.jit
def analyze(
    x,  # [N, C, H, W] u8 or float
    z,  # [N, C, KH, KW] f32
    basis_h,  # [2, >= H, >= KH] f16: high and low halves, zeros around
    basis_w,  # [2, >= W, >= KW] f16
    channels,
    height,
    width,
    kh,
    kw,
    x_n,  # strides
    x_c,
    x_h,
    x_w: tl.constexpr,
    low_h,  # from the high halves to the low
    low_w,
    row_h,  # from one pixel's row to the next
    row_w,
    unit,  # pixels are multiplied with it
    EXACT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    INNER: tl.constexpr,
):
    """One tile [ROWS, COLUMNS] of the coefficients of one channel."""
    across = tl.cdiv(kw, COLUMNS)
    tiles = tl.cdiv(kh, ROWS) * across
    plane, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    a = tile // across * ROWS + tl.arange(0, ROWS)
    b = tile % across * COLUMNS + tl.arange(0, COLUMNS)
    x += (plane // channels).to(tl.int64) * x_n + (plane % channels).to(tl.int64) * x_c
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for h0 in range(0, height, DEPTH):
        h = h0 + tl.arange(0, DEPTH)
        strip = tl.zeros([DEPTH, COLUMNS], tl.float32)
        for w0 in range(0, width, INNER):
            w = w0 + tl.arange(0, INNER)
            inside = (h < height)[:, None] & (w < width)[None, :]
            pixels = tl.load(x + h[:, None] * x_h + w[None, :] * x_w, mask=inside, other=0).to(tl.float32) * unit
            pixels, pixels_low = _halves(pixels, EXACT)
            wave, wave_low = _load_halves(basis_w + w[:, None] * row_w + b[None, :], low_w, EXACT)
            strip = _add_product(strip, pixels, pixels_low, wave, wave_low, EXACT)
        strip, strip_low = _halves(strip, EXACT)
        wave, wave_low = _load_halves(basis_h + h[None, :] * row_h + a[:, None], low_h, EXACT)
        total = _add_product(total, wave, wave_low, strip, strip_low, EXACT)
    z += plane.to(tl.int64) * kh * kw
    tl.store(z + a[:, None] * kw + b[None, :], total, mask=(a < kh)[:, None] & (b < kw)[None, :])


@triton.jit
def _wave(basis, pixel, column, row, low_at):
    """A column of a basis at some pixels, in float32."""
    address = basis + pixel * row + column
    return tl.load(address).to(tl.float32) + tl.load(address + low_at).to(tl.float32)


@triton.jit
def synthesize(
    z,  # [N, C, KH, KW] f32
    x,  # [N, C, H, W] u8 or float
    out,  # [F, N, C, H, W]
    basis_h,  # [2, >= H, >= KH] f16
    basis_w,  # [2, >= W, >= KW] f16
    weights,  # [M, KH, KW] f32
    masks,  # [M, 6] i32: rows, columns, first and last of the bands, first and last of the corners
    bands,  # [F, 2] i32, those of a mask together: position in out, whether the complement
    offsets,  # [F] f32 of the bands
    corners,  # [Q, 2] i32: row, column
    strengths,  # [Q] f32
    scale,  # [C] f32
    shift,  # [C] f32
    count,  # M
    channels,
    height,
    width,
    kh,
    kw,
    x_n,  # strides
    x_c,
    x_h,
    x_w: tl.constexpr,
    out_f,
    out_n,
    out_c,
    out_h,
    out_w: tl.constexpr,
    low_h,
    low_w,
    row_h,
    row_w,
    white,  # pixels times it are in 0 ... 255, as z times the weights is
    EXACT: tl.constexpr,
    MASKED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    INNER: tl.constexpr,
    PARTS: tl.constexpr,
):
    """One tile [ROWS, COLUMNS] of one channel, under all bands of one mask; channels of a tile run side by side."""
    across = tl.cdiv(width, COLUMNS)
    tiles = tl.cdiv(height, ROWS) * across
    c, tile = tl.program_id(0) % channels, tl.program_id(0) // channels
    mask, tile = tile // tiles, tile % tiles
    n, mask = (mask // count).to(tl.int64), mask % count
    row0 = tl.maximum(tl.minimum(tile // across * ROWS, height - ROWS), 0)
    column0 = tl.maximum(tl.minimum(tile % across * COLUMNS, width - COLUMNS), 0)
    h, w = row0 + tl.arange(0, ROWS), column0 + tl.arange(0, COLUMNS)
    z += (n * channels + c) * kh * kw
    weights += mask.to(tl.int64) * kh * kw
    masks += mask * 6
    rows, columns = tl.load(masks), tl.load(masks + 1)
    y = tl.zeros([ROWS, COLUMNS], tl.float32)
    for a0 in range(0, rows, DEPTH):
        a = a0 + tl.arange(0, DEPTH)
        strip = tl.zeros([DEPTH, COLUMNS], tl.float32)
        for b0 in range(0, columns, INNER):
            b = b0 + tl.arange(0, INNER)
            at = a[:, None] * kw + b[None, :]
            kept, kept_low = _halves(tl.load(z + at) * tl.load(weights + at), EXACT)
            wave, wave_low = _load_halves(basis_w + w[None, :] * row_w + b[:, None], low_w, EXACT)
            strip = _add_product(strip, kept, kept_low, wave, wave_low, EXACT)
        strip, strip_low = _halves(strip, EXACT)
        wave, wave_low = _load_halves(basis_h + h[:, None] * row_h + a[None, :], low_h, EXACT)
        y = _add_product(y, wave, wave_low, strip, strip_low, EXACT)

    x += n * x_n + c.to(tl.int64) * x_c
    out += n * out_n + c.to(tl.int64) * out_c
    gain, start = tl.load(scale + c), tl.load(shift + c)
    for part in tl.static_range(PARTS):  # fewer registers than the whole tile at once
        w = column0 + part * (COLUMNS // PARTS) + tl.arange(0, COLUMNS // PARTS)
        low = _part(y, part, PARTS)
        for q in range(tl.load(masks + 4), tl.load(masks + 5)):
            row, column, strength = tl.load(corners + 2 * q), tl.load(corners + 2 * q + 1), tl.load(strengths + q)
            at = z + row * kw + column
            cos_h, sin_h = _wave(basis_h, h, row, row_h, low_h), _wave(basis_h, h, row + 1, row_h, low_h)
            cos_w, sin_w = _wave(basis_w, w, column, row_w, low_w), _wave(basis_w, w, column + 1, row_w, low_w)
            beside_cos = tl.load(at + kw) * sin_w - tl.load(at + kw + 1) * cos_w
            beside_sin = tl.load(at + 1) * cos_w - tl.load(at) * sin_w
            low += strength * (cos_h[:, None] * beside_cos[None, :] + sin_h[:, None] * beside_sin[None, :])
        inside = (h < height)[:, None] & (w < width)[None, :] if MASKED else None
        image = tl.load(x + h[:, None] * x_h + w[None, :] * x_w, mask=inside).to(tl.float32) * white
        for s in range(tl.load(masks + 2), tl.load(masks + 3)):
            value = tl.where(tl.load(bands + 2 * s + 1) != 0, image - low, low) + tl.load(offsets + s)
            value = tl.clamp(value, 0.0, 255.0, propagate_nan=tl.PropagateNan.ALL) * gain + start
            at = out + tl.load(bands + 2 * s).to(tl.int64) * out_f + h[:, None] * out_h + w[None, :] * out_w
            tl.store(at, value.to(out.dtype.element_ty), mask=inside)
