// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// One register of numbers, as wide as the target of this translation unit has it: see simd/target.h.
//
// Arithmetic is that of the compiler's vectors, lane by lane, so a function of Floats gives each lane the bits that the
// same function of float gives: all targets agree to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "simd/most_lanes.h"
#include "simd/target.h"

namespace visionbias::VISIONBIAS_TARGET {

constexpr int kLanes = VISIONBIAS_LANES;
static_assert(kMostLanes % kLanes == 0);

#if VISIONBIAS_LANES == 1
using Floats = float;
using Words = std::uint32_t;
using Shorts = std::uint16_t;
using Bytes = std::uint8_t;
#else
using Floats = float __attribute__((vector_size(4 * VISIONBIAS_LANES)));
using Words = std::uint32_t __attribute__((vector_size(4 * VISIONBIAS_LANES)));
using Shorts = std::uint16_t __attribute__((vector_size(2 * VISIONBIAS_LANES)));
using Bytes = std::uint8_t __attribute__((vector_size(VISIONBIAS_LANES)));
#endif

template <class To, class From>
VISIONBIAS_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class To, class From>
VISIONBIAS_INLINE To convert(From from) {  // lane by lane, as static_cast
#if VISIONBIAS_LANES == 1
  return static_cast<To>(from);
#else
  return __builtin_convertvector(from, To);
#endif
}

template <class T>
VISIONBIAS_INLINE T load(const void* from) {  // any address
  T lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

template <class T>
VISIONBIAS_INLINE void store(void* to, T lanes) {  // any address
  std::memcpy(to, &lanes, sizeof lanes);
}

template <class T, class Lanes>
VISIONBIAS_INLINE void store_some(T* to, Lanes lanes, std::ptrdiff_t count) {  // the first `count`
  std::memcpy(to, &lanes, static_cast<std::size_t>(count) * sizeof(T));
}

// Past the caches, where the processor can: for what nobody reads soon. The address is a multiple of sizeof(T). Such
// stores may come later than plain ones that follow; over_images has them done before it returns.
template <class T>
VISIONBIAS_INLINE void stream(void* to, T lanes) {
#if defined(VISIONBIAS_SANITIZED)  // the sanitizers look at a plain store, at its bounds and its alignment
  *static_cast<T*>(to) = lanes;
  return;
#elif VISIONBIAS_X86
  if constexpr (sizeof(T) == 64) {
    return _mm512_stream_si512(static_cast<__m512i*>(to), bit_cast<__m512i>(lanes));
  } else if constexpr (sizeof(T) == 32) {
    return _mm256_stream_si256(static_cast<__m256i*>(to), bit_cast<__m256i>(lanes));
  } else if constexpr (sizeof(T) == 16) {
    return _mm_stream_si128(static_cast<__m128i*>(to), bit_cast<__m128i>(lanes));
  }
#endif
  store(to, lanes);
}

VISIONBIAS_INLINE Floats broadcast(float value) { return Floats{} + value; }

#if VISIONBIAS_X86 && VISIONBIAS_LANES == 16
constexpr __mmask16 kAll = 0xffff;  // a mask that leaves nothing out: of the intrinsics without one GCC 12 warns
#endif

VISIONBIAS_INLINE Floats load_pixels(const float* from) { return load<Floats>(from); }

VISIONBIAS_INLINE Floats load_pixels(const std::uint8_t* from) {
#if VISIONBIAS_X86 && VISIONBIAS_LANES == 16  // GCC widens bytes one by one
  return bit_cast<Floats>(_mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, load<__m128i>(from))));
#elif VISIONBIAS_X86 && VISIONBIAS_LANES == 8
  return bit_cast<Floats>(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(load<std::int64_t>(from)))));
#elif VISIONBIAS_X86 && VISIONBIAS_LANES == 4
  const __m128i zero = _mm_setzero_si128(), bytes = _mm_cvtsi32_si128(load<std::int32_t>(from));
  return bit_cast<Floats>(_mm_cvtepi32_ps(_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero)));
#else
  return convert<Floats>(convert<Words>(load<Bytes>(from)));
#endif
}

// Correctly rounded, as a processor's division is.
VISIONBIAS_INLINE Floats square_root(Floats x) {
#if VISIONBIAS_LANES == 1
  return std::sqrt(x);
#elif VISIONBIAS_X86 && VISIONBIAS_LANES == 16
  return bit_cast<Floats>(_mm512_maskz_sqrt_ps(kAll, bit_cast<__m512>(x)));
#elif VISIONBIAS_X86 && VISIONBIAS_LANES == 8
  return bit_cast<Floats>(_mm256_sqrt_ps(bit_cast<__m256>(x)));
#elif VISIONBIAS_X86 && VISIONBIAS_LANES == 4
  return bit_cast<Floats>(_mm_sqrt_ps(bit_cast<__m128>(x)));
#else
  float lanes[kLanes];
  store(lanes, x);
  for (float& lane : lanes) lane = std::sqrt(lane);
  return load<Floats>(lanes);
#endif
}

// NaN stays NaN.
VISIONBIAS_INLINE Floats clip(Floats x, Floats low, Floats high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

#if VISIONBIAS_LANES == 1
template <int Part>
VISIONBIAS_INLINE Floats thrice(Floats x) {
  return x;
}

VISIONBIAS_INLINE void transpose(Floats*) {}
#else
template <int Part, int... Lane>
VISIONBIAS_INLINE Floats thrice(Floats x, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(x, x, ((Part * kLanes + Lane) / 3)...);
}

// Register `Part` of three that hold every lane of x three times in a row.
template <int Part>
VISIONBIAS_INLINE Floats thrice(Floats x) {
  return thrice<Part>(x, std::make_integer_sequence<int, kLanes>{});
}

// Exchange of the off-diagonal quarters of every block of 2 Half x 2 Half.
template <int Half, int... Lane>
VISIONBIAS_INLINE void exchange(Floats& a, Floats& b, std::integer_sequence<int, Lane...>) {
  const Floats upper = __builtin_shufflevector(a, b, ((Lane & Half) ? kLanes + Lane - Half : Lane)...);
  b = __builtin_shufflevector(a, b, ((Lane & Half) ? kLanes + Lane : Lane + Half)...);
  a = upper;
}

template <int Half>
VISIONBIAS_INLINE void transpose_by(Floats* rows) {
  if constexpr (Half < kLanes) {
    for (int i = 0; i < kLanes; ++i) {
      if (!(i & Half)) exchange<Half>(rows[i], rows[i + Half], std::make_integer_sequence<int, kLanes>{});
    }
    transpose_by<2 * Half>(rows);
  }
}

// [kLanes, kLanes] in place (Eklundh, 1972).
VISIONBIAS_INLINE void transpose(Floats* rows) { transpose_by<1>(rows); }
#endif

}  // namespace visionbias::VISIONBIAS_TARGET
