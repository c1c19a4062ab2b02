// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Plain C++, 1 lane: for compilers without vectors, and to test the others against.
#define VISIONBIAS_TARGET scalar
#define VISIONBIAS_LANES 1
#include "simd/target.h"
#include "targets/kernels.h"

namespace visionbias {

extern const Target target_scalar;
const Target target_scalar = {
    "scalar",
    [] { return true; },
    scalar::normalize_row,
    scalar::normals,
    scalar::filter_bank,
    scalar::critical_band,
    scalar::band_noise,
    scalar::spectrum_mix,
};

}  // namespace visionbias
