// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// x86-64 servers since Skylake and Zen 4: 16 lanes.
#define VISIONBIAS_TARGET avx512
#define VISIONBIAS_LANES 16
#define VISIONBIAS_INSTRUCTIONS "avx512f,avx512bw,avx512dq,avx512vl"
#include "simd/target.h"

#if VISIONBIAS_X86
#include "targets/kernels.h"
#endif
