// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// x86-64 servers since Skylake and Zen 4: 16 lanes.
#define VISIONBIAS_TARGET avx512
#define VISIONBIAS_LANES 16
#include "simd/target.h"

#if VISIONBIAS_X86
#include "targets/targets.h"

VISIONBIAS_INSTRUCTIONS("avx512f,avx512bw,avx512dq,avx512vl")
#include "targets/kernels.h"

namespace visionbias {

extern const Target target_avx512;
const Target target_avx512 = {
    "avx512",
    [] {
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    },
    avx512::normalize_row,
    avx512::normals,
    avx512::filter_bank,
    avx512::critical_band,
    avx512::band_noise,
    avx512::spectrum_mix,
};

}  // namespace visionbias
VISIONBIAS_INSTRUCTIONS_END
#endif
