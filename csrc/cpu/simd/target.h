// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What a translation unit is compiled for. A file in targets/ names its target and includes this; everything that uses
// VISIONBIAS_TARGET is then compiled for that target, in a namespace of that name, so no two definitions meet.
//
// Standard headers come first: their inline functions are shared, and must stay within the baseline.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

// The compiler's vectors, with their shuffles; without them everything still works, one lane at a time.
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define VISIONBIAS_VECTORS 1
#else
#define VISIONBIAS_VECTORS 0
#endif

#if VISIONBIAS_VECTORS && defined(__x86_64__)
#define VISIONBIAS_X86 1
#include <immintrin.h>
#else
#define VISIONBIAS_X86 0
#endif

// Instructions beyond the baseline from here to the end of the file.
#if defined(__clang__)
#define VISIONBIAS_PRAGMA(text) _Pragma(#text)
#define VISIONBIAS_INSTRUCTIONS(names) \
  VISIONBIAS_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define VISIONBIAS_INSTRUCTIONS_END _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define VISIONBIAS_PRAGMA(text) _Pragma(#text)
#define VISIONBIAS_INSTRUCTIONS(names) VISIONBIAS_PRAGMA(GCC target(names))
#define VISIONBIAS_INSTRUCTIONS_END
#endif

// The arrays of a kernel never overlap; without this a loop over u8 must assume that they do.
#if defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER)
#define VISIONBIAS_RESTRICT __restrict
#else
#define VISIONBIAS_RESTRICT
#endif

// Small functions of a kernel are inlined, so that its loops stay in registers.
#if defined(VISIONBIAS_SANITIZED)
#define VISIONBIAS_INLINE inline
#elif defined(__GNUC__) || defined(__clang__)
#define VISIONBIAS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define VISIONBIAS_INLINE __forceinline
#else
#define VISIONBIAS_INLINE inline
#endif
