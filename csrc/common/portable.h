// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What lets one source compile for the CPU and for CUDA with the same bits.
#pragma once

#ifndef __CUDACC_RTC__  // NVRTC has no standard headers
#include <cmath>
#include <cstdint>
#include <cstring>
#endif

#ifdef __CUDACC__
#define VISIONBIAS_HD __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define VISIONBIAS_HD __forceinline
#else
#define VISIONBIAS_HD inline __attribute__((always_inline))
#endif

// Before a loop whose copies side by side would take registers and gain nothing.
#ifdef __CUDACC__
#define VISIONBIAS_ROLLED _Pragma("unroll 1")
#else
#define VISIONBIAS_ROLLED
#endif

namespace visionbias {

#ifdef __CUDACC_RTC__
using int32_t = int;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;
#else
using std::int32_t;
using std::uint32_t;
using std::uint64_t;
#endif

// Products and sums that are rounded by themselves. On the CPU the build forbids to fuse them (-ffp-contract=off).
#ifdef __CUDA_ARCH__
VISIONBIAS_HD float multiply(float a, float b) { return __fmul_rn(a, b); }
VISIONBIAS_HD float add(float a, float b) { return __fadd_rn(a, b); }
VISIONBIAS_HD float square_root(float a) { return __fsqrt_rn(a); }
VISIONBIAS_HD int32_t bits_of(float a) { return __float_as_int(a); }
VISIONBIAS_HD float float_of(int32_t bits) { return __int_as_float(bits); }
#else
VISIONBIAS_HD float multiply(float a, float b) { return a * b; }
VISIONBIAS_HD float add(float a, float b) { return a + b; }
VISIONBIAS_HD float square_root(float a) { return std::sqrt(a); }
VISIONBIAS_HD int32_t bits_of(float a) {
  int32_t bits;
  std::memcpy(&bits, &a, sizeof bits);
  return bits;
}
VISIONBIAS_HD float float_of(int32_t bits) {
  float a;
  std::memcpy(&a, &bits, sizeof a);
  return a;
}
#endif

}  // namespace visionbias
