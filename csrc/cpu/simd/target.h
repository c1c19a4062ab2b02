// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What a translation unit is compiled for. A file in targets/ names its target and includes this; everything that uses
// VISIONBIAS_TARGET is then compiled for that target, in a namespace of that name, so no two definitions meet.
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

// Between these two, functions may use the instructions that the target names, if any. No shared header belongs there.
#define VISIONBIAS_PRAGMA(text) _Pragma(#text)
#if !defined(VISIONBIAS_INSTRUCTIONS)
#define VISIONBIAS_TARGET_BEGIN
#define VISIONBIAS_TARGET_END
#elif defined(__clang__)
#define VISIONBIAS_TARGET_BEGIN VISIONBIAS_PUSH(VISIONBIAS_INSTRUCTIONS)
#define VISIONBIAS_PUSH(names) \
  VISIONBIAS_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define VISIONBIAS_TARGET_END _Pragma("clang attribute pop")
#else
#define VISIONBIAS_TARGET_BEGIN VISIONBIAS_PUSH(VISIONBIAS_INSTRUCTIONS)
#define VISIONBIAS_PUSH(names) _Pragma("GCC push_options") VISIONBIAS_PRAGMA(GCC target(names))
#define VISIONBIAS_TARGET_END _Pragma("GCC pop_options")
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
