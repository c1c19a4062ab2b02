// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// All kernels for the target of this translation unit.
//
// What targets share comes before the target's instructions begin: the linker keeps one copy of a shared function for
// all targets, and it must stay within the baseline.
#pragma once

#include "common/normals.h"
#include "common/philox.h"
#include "fft/ky_blocks.h"
#include "fft/plan.h"
#include "images/images.h"
#include "images/rows.h"
#include "simd/most_lanes.h"
#include "simd/target.h"
#include "targets/targets.h"
#include "threads/scratch.h"

VISIONBIAS_TARGET_BEGIN

#include "band_noise/kernel.h"
#include "filter_bank/kernel.h"
#include "normalize/kernel.h"
#include "normals/kernel.h"
#include "spectrum_mix/kernel.h"

namespace visionbias::VISIONBIAS_TARGET {

extern const Kernels kernels;
const Kernels kernels = {normalize_row, normals, filter_bank, critical_band, band_noise, spectrum_mix};

}  // namespace visionbias::VISIONBIAS_TARGET

VISIONBIAS_TARGET_END
