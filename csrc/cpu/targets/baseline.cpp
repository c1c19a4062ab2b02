// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What every processor of the architecture has, 4 lanes: SSE2 on x86-64, NEON on ARM64.
#define VISIONBIAS_TARGET baseline
#define VISIONBIAS_LANES 4
#include "simd/target.h"

#if VISIONBIAS_VECTORS
#include "targets/kernels.h"

namespace visionbias {

extern const Target target_baseline;
const Target target_baseline = {
    "baseline",
    [] { return true; },
    baseline::normalize_row,
    baseline::normals,
    baseline::filter_bank,
    baseline::critical_band,
    baseline::band_noise,
    baseline::spectrum_mix,
};

}  // namespace visionbias
#endif
