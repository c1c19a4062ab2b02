// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The kernels of one image size, which visionbias/ops/band_noise/cuda.py gives as VISIONBIAS_HEIGHT and _WIDTH.
#include "band_noise/band_noise.h"

VISIONBIAS_KERNEL(critical_band, CriticalBand<VISIONBIAS_HEIGHT, VISIONBIAS_WIDTH>)
VISIONBIAS_KERNEL(band_noise, UnitBandNoise<VISIONBIAS_HEIGHT, VISIONBIAS_WIDTH>)
