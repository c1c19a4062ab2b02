# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Philox4x32-10 and unit normals: the definition, bit for bit, of every backend.

Counter i of a sequence is (i, stream, sample word 0, sample word 1), its key the two halves of the seed; it gives the
words 4 i ... 4 i + 3. Two words give two normals by Box and Muller's transform.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Normals = NDArray[np.float32]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

# Least-maximum-error polynomials, lowest power first, rounded to float32.
SIN = (1.5707963, -0.64596331, 0.079680227, -0.0046021806)  # sin(pi/2 a) / a in a^2, for a in [-1/2, 1/2]
COS = (0.99999997, -1.233697, 0.25359863, -0.020408345)  # cos(pi/2 a) in a^2
LOG = (-0.4999999, 0.3333395, -0.25001755, 0.19962072, -0.16570508, 0.14917974, -0.14307521, 0.08734841)
# LOG: (ln(1 + f) - f) / f^2 in f, for 1 + f in [sqrt(1/2), sqrt(2)]
LN2 = 0.6931472
SQRT_HALF_BITS = 0x3F3504F3


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:  # [..., 4] -> [..., 4]
    """The block cipher: ten rounds."""
    c0, c1, c2, c3 = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(ROUNDS):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ np.uint64(k0), p1 & low, (p0 >> shift) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + WEYL[0]) % 2**32, (k1 + WEYL[1]) % 2**32
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def words(seed: int, stream: int, keys: Words, first: int, n: int) -> Words:  # keys [N, 2] -> [N, 4 n]
    """The words of counters `first` ... `first + n - 1` for each sample."""
    counter = np.empty((len(keys), n, 4), np.uint32)
    counter[..., 0] = np.arange(first, first + n, dtype=np.uint32)
    counter[..., 1] = stream
    counter[..., 2:] = keys[:, None]
    return philox4x32(counter, (seed % 2**32, seed >> 32)).reshape(len(keys), 4 * n)


def normals(words: Words) -> Normals:  # [..., 2 n] -> [..., 2 n]
    """Unit normals, two from two words. Every product and sum is rounded to float32 by itself, none is fused."""
    radius = np.sqrt(np.float32(-2) * _log(_fraction(words[..., 0::2] >> np.uint32(9))))
    a = _fraction((words[..., 1::2] >> np.uint32(7)) & np.uint32(0x7FFFFF)) - np.float32(0.5)
    square = a * a
    cos, sin = _polynomial(COS, square), _polynomial(SIN, square) * a
    quarter = words[..., 1::2] >> 30  # of the circle
    cos, sin = np.where(quarter & 1, -sin, cos), np.where(quarter & 1, cos, sin)
    sign = np.where(quarter & 2, np.float32(-1), np.float32(1))
    return np.stack([radius * (sign * cos), radius * (sign * sin)], axis=-1).reshape(words.shape)


def _fraction(bits: Words) -> Normals:
    """(bits + 1/2) / 2^23 for 23 bits: exact, and never 0 or 1."""
    return (2 * bits + 1).astype(np.float32) * np.float32(2**-24)


def _log(u: Normals) -> Normals:
    bits = u.view(np.int32)
    exponent = (bits - SQRT_HALF_BITS) >> 23
    f: Normals = (bits - (exponent << 23)).view(np.float32) - np.float32(1)
    value: Normals = exponent.astype(np.float32) * np.float32(LN2) + (f + f * f * _polynomial(LOG, f))
    return value


def _polynomial(coefficients: tuple[float, ...], x: Normals) -> Normals:
    value: Normals = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + np.float32(coefficient)
    return value
