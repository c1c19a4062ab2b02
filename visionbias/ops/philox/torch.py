# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Philox4x32-10 and unit normals in torch operators, the same bits as the definition on every device.

Words are int64 tensors with values below 2^32: torch has no arithmetic on unsigned 32-bit integers.
"""

import torch
from torch import Tensor

from visionbias.ops.philox.reference import COS, LN2, LOG, MULTIPLIERS, ROUNDS, SIN, SQRT_HALF_BITS, WEYL

_LOW = 0xFFFFFFFF


def words_at(
    seed: int,
    stream: int,
    keys: Tensor,  # [..., 2] int64
    counter: Tensor,  # [...] int64, broadcast against keys[..., 0]
) -> Tensor:  # [..., 4]
    """The four words of each counter."""
    c0, c2 = torch.broadcast_tensors(counter, keys[..., 0])  # type: ignore[no-untyped-call]
    c3 = keys[..., 1].expand_as(c0)
    c1 = torch.full_like(c0, stream)
    k0, k1 = seed & _LOW, seed >> 32
    for _ in range(ROUNDS):
        high0, low0 = _multiply(c0, MULTIPLIERS[0])
        high1, low1 = _multiply(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + WEYL[0]) & _LOW, (k1 + WEYL[1]) & _LOW
    return torch.stack([c0, c1, c2, c3], dim=-1)


def normals(words: Tensor) -> Tensor:  # [..., 2 n] int64 -> [..., 2 n] float32
    """See `reference.normals`."""
    # In float64: torch's float32 root is not correctly rounded on every CPU.
    radius = (-2.0 * _log(fraction(words[..., 0::2] >> 9))).double().sqrt().float()
    a = fraction((words[..., 1::2] >> 7) & 0x7FFFFF) - 0.5
    square = a * a
    cos, sin = _polynomial(COS, square), _polynomial(SIN, square) * a
    quarter = words[..., 1::2] >> 30
    odd = (quarter & 1).bool()
    cos, sin = torch.where(odd, -sin, cos), torch.where(odd, cos, sin)
    sign = 1.0 - (quarter & 2).float()
    return torch.stack([radius * (sign * cos), radius * (sign * sin)], dim=-1).reshape(words.shape)


def _multiply(a: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """High and low word of a * m, in halves since the whole product does not fit a signed 64-bit integer."""
    low = (a & 0xFFFF) * m
    high = (a >> 16) * m + (low >> 16)
    return high >> 16, ((high & 0xFFFF) << 16) | (low & 0xFFFF)


def fraction(bits: Tensor) -> Tensor:
    """See `reference._fraction`."""
    return (2 * bits + 1).float() * 2.0**-24


def _log(u: Tensor) -> Tensor:
    bits = u.view(torch.int32)
    exponent = (bits - SQRT_HALF_BITS) >> 23
    f = (bits - (exponent << 23)).view(torch.float32) - 1.0
    return exponent.float() * LN2 + (f + f * f * _polynomial(LOG, f))


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    value = torch.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value
