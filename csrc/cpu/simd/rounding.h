// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Lanes of float to an output type, to nearest with ties to even. NaN stays NaN.
//
// Integer arithmetic: conversion instructions are not on every CPU, and the bits must be.
#pragma once

#include "images/images.h"
#include "simd/lanes.h"

namespace visionbias::VISIONBIAS_TARGET {

template <class T>
struct Rounded;  // T -> the lanes that hold it

template <>
struct Rounded<float> {
  using Lanes = Floats;
};
template <>
struct Rounded<Half> {
  using Lanes = Shorts;
};
template <>
struct Rounded<BFloat16> {
  using Lanes = Shorts;
};

template <class T>
VISIONBIAS_INLINE typename Rounded<T>::Lanes round_to(Floats value);

template <>
VISIONBIAS_INLINE Floats round_to<float>(Floats value) {
  return value;
}

template <>
VISIONBIAS_INLINE Shorts round_to<BFloat16>(Floats value) {
  const Words bits = bit_cast<Words>(value);
  const Words rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const Words quiet = bits | 0x00400000u;
  return convert<Shorts>((value != value ? quiet : rounded) >> 16);
}

template <>
VISIONBIAS_INLINE Shorts round_to<Half>(Floats value) {
  const Words bits = bit_cast<Words>(value);
  const Words sign = (bits >> 16) & 0x8000u;
  const Words magnitude = bits & 0x7fffffffu;
  // Normal numbers: rebias the exponent by 15 - 127 and round 13 bits away; a carry into infinity is right.
  const Words normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  // Subnormal numbers: adding 1/2 aligns the float's last bit with the half's, so the adder does the rounding.
  const Words subnormal = bit_cast<Words>(bit_cast<Floats>(magnitude) + 0.5f) - 0x3f000000u;
  const Words infinite = Words{} + 0x7c00u, nan = Words{} + 0x7e00u;
  Words result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x47800000u ? infinite : result;
  result = value != value ? nan : result;
  return convert<Shorts>(result | sign);
}

}  // namespace visionbias::VISIONBIAS_TARGET
