// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What every processor of the architecture has, 4 lanes: SSE2 on x86-64, NEON on ARM64.
#define VISIONBIAS_TARGET baseline
#define VISIONBIAS_LANES 4
#include "simd/target.h"

#if VISIONBIAS_VECTORS
#include "targets/kernels.h"
#endif
