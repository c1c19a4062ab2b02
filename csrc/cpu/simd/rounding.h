// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Lanes of float to an output type, to nearest with ties to even. NaN stays NaN, if it is quiet: all that arithmetic
// returns are, so their upper 16 bits by themselves are a NaN too.
//
// Integer arithmetic: conversion instructions are not on every CPU, and the bits must be.
#pragma once

#include "images/images.h"
#include "simd/lanes.h"

namespace visionbias::VISIONBIAS_TARGET {

// A word a lane; the output number is its lower half for Half, its upper half for BFloat16.
template <class T>
VISIONBIAS_INLINE Words rounded_words(Floats value);

template <>
VISIONBIAS_INLINE Words rounded_words<BFloat16>(Floats value) {
  const Words bits = bit_cast<Words>(value);
  const Words half = 0x7fffu + ((bits >> 16) & 1u);
  return bits + (value == value ? half : Words{});
}

template <>
VISIONBIAS_INLINE Words rounded_words<Half>(Floats value) {
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
  return result | sign;
}

template <class T>
constexpr int kUpper = std::is_same_v<T, BFloat16> ? 1 : 0;  // which half of a word holds the number

// The lanes of an output type that one register becomes, and two registers side by side.
template <class T>
VISIONBIAS_INLINE auto round_to(Floats value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return convert<Shorts>(rounded_words<T>(value) >> (16 * kUpper<T>));
  }
}

// Calls work(T{}) for the output type T.
template <class Work>
VISIONBIAS_INLINE void with_output_type(Pixel pixel, Work work) {
  switch (pixel) {
    case Pixel::f16:
      return work(Half{});
    case Pixel::bf16:
      return work(BFloat16{});
    default:
      return work(float{});
  }
}

#if VISIONBIAS_LANES > 1
template <int Upper, int... Lane>
VISIONBIAS_INLINE Words halves(Words a, Words b, std::integer_sequence<int, Lane...>) {
  using Halves = std::uint16_t __attribute__((vector_size(4 * VISIONBIAS_LANES)));
  return bit_cast<Words>(__builtin_shufflevector(bit_cast<Halves>(a), bit_cast<Halves>(b), (2 * Lane + Upper)...));
}

// 2 kLanes numbers of 16 bits, a register in all.
template <class T>
VISIONBIAS_INLINE Words round_both(Floats a, Floats b) {
  return halves<kUpper<T>>(rounded_words<T>(a), rounded_words<T>(b), std::make_integer_sequence<int, 2 * kLanes>{});
}
#endif

}  // namespace visionbias::VISIONBIAS_TARGET
