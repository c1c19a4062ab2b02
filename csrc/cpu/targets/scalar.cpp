// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Plain C++, 1 lane: for compilers without vectors, and to test the others against.
#define VISIONBIAS_TARGET scalar
#define VISIONBIAS_LANES 1
#include "simd/target.h"
#include "targets/kernels.h"
