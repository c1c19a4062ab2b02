// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// epilogue: the end of every kernel that emits a stimulus. Clip to [0, 1], scale and shift, round to the output type.
//
// Branch-free integer arithmetic, so that the loops around it vectorize on any CPU, and with the same bits on all of them.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd.h"

namespace visionbias {

struct Half {
  std::uint16_t bits;  // IEEE binary16
};
struct BFloat16 {
  std::uint16_t bits;
};

VISIONBIAS_INLINE std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

VISIONBIAS_INLINE float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// `yes` or `no` by masks: compilers turn a conditional expression into a branch, and then do not vectorize.
VISIONBIAS_INLINE std::uint32_t select(bool condition, std::uint32_t yes, std::uint32_t no) {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

// Round to nearest, ties to even.
template <class T>
VISIONBIAS_INLINE T round_to(float value);

template <>
VISIONBIAS_INLINE float round_to<float>(float value) {
  return value;
}

template <>
VISIONBIAS_INLINE BFloat16 round_to<BFloat16>(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t nan = 0u - static_cast<std::uint32_t>((bits & 0x7fffffffu) > 0x7f800000u);
  const std::uint32_t increment = (0x7fffu + ((bits >> 16) & 1u)) & ~nan;
  const std::uint32_t quiet = 0x00400000u & nan;
  return {static_cast<std::uint16_t>(((bits + increment) | quiet) >> 16)};
}

template <>
VISIONBIAS_INLINE Half round_to<Half>(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Normal numbers: rebias the exponent by 15 - 127 and round 13 bits away; a carry into infinity is right.
  const std::uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  // Subnormal numbers: adding 1/2 aligns the float's last bit with the half's, so the adder does the rounding.
  const std::uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
  const std::uint32_t special = select(magnitude > 0x7f800000u, 0x7e00u, 0x7c00u);
  std::uint32_t result = select(magnitude < 0x38800000u, subnormal, normal);
  result = select(magnitude >= 0x47800000u, special, result);
  return {static_cast<std::uint16_t>(result | sign)};
}

// NaN stays NaN.
VISIONBIAS_INLINE float clip(float value) {
  value = value < 0.0f ? 0.0f : value;
  return value > 1.0f ? 1.0f : value;
}

template <class T>
VISIONBIAS_INLINE T finish(float value, float scale, float shift) {
  return round_to<T>(value * scale + shift);
}

template <class T>
VISIONBIAS_INLINE T clip_and_finish(float value, float scale, float shift) {
  return finish<T>(clip(value), scale, shift);
}

}  // namespace visionbias
