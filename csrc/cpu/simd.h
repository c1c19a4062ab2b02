// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// One binary for every CPU of an architecture: the compiler emits a loop several times and the loader picks.
#pragma once

// GCC on glibc resolves clones at load time. Elsewhere the baseline (SSE2, NEON) is what runs.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define VISIONBIAS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VISIONBIAS_CLONES
#endif

// The arrays of a kernel never overlap; without this a loop over u8 must assume that they do.
#if defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER)
#define VISIONBIAS_RESTRICT __restrict
#else
#define VISIONBIAS_RESTRICT
#endif

// What a cloned loop calls must be inlined into it, or it stays at the baseline.
#if defined(__GNUC__) || defined(__clang__)
#define VISIONBIAS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define VISIONBIAS_INLINE __forceinline
#else
#define VISIONBIAS_INLINE inline
#endif
