// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// x86-64 since Haswell and Zen: 8 lanes.
#define VISIONBIAS_TARGET avx2
#define VISIONBIAS_LANES 8
#include "simd/target.h"

#if VISIONBIAS_X86
#include "targets/targets.h"

VISIONBIAS_INSTRUCTIONS("avx2")
#include "targets/kernels.h"

namespace visionbias {

extern const Target target_avx2;
const Target target_avx2 = {
    "avx2",
    [] { return __builtin_cpu_supports("avx2") != 0; },
    avx2::normalize_row,
    avx2::normals,
    avx2::filter_bank,
    avx2::critical_band,
    avx2::band_noise,
    avx2::spectrum_mix,
};

}  // namespace visionbias
VISIONBIAS_INSTRUCTIONS_END
#endif
