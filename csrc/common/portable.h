// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What lets one source compile for the CPU and for CUDA with the same bits.
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define VISIONBIAS_HD __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define VISIONBIAS_HD __forceinline
#else
#define VISIONBIAS_HD inline __attribute__((always_inline))
#endif

namespace visionbias {

// Products and sums that are rounded by themselves. On the CPU the build forbids to fuse them (-ffp-contract=off).
#ifdef __CUDA_ARCH__
VISIONBIAS_HD float multiply(float a, float b) { return __fmul_rn(a, b); }
VISIONBIAS_HD float add(float a, float b) { return __fadd_rn(a, b); }
VISIONBIAS_HD float square_root(float a) { return __fsqrt_rn(a); }
#else
VISIONBIAS_HD float multiply(float a, float b) { return a * b; }
VISIONBIAS_HD float add(float a, float b) { return a + b; }
VISIONBIAS_HD float square_root(float a) { return std::sqrt(a); }
#endif

}  // namespace visionbias
