// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// x86-64 since Haswell and Zen: 8 lanes.
#define VISIONBIAS_TARGET avx2
#define VISIONBIAS_LANES 8
#define VISIONBIAS_INSTRUCTIONS "avx2"
#include "simd/target.h"

#if VISIONBIAS_X86
#include "targets/kernels.h"
#endif
