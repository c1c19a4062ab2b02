// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The kernel of one method and image size, which visionbias/ops/spectrum_mix/cuda.py names: the method, the radices of
// W and of H, and the number of panels.
#include "spectrum_mix/spectrum_mix.h"

VISIONBIAS_KERNEL(spectrum_mix, SpectrumMix<visionbias::VISIONBIAS_METHOD, visionbias::Radices<VISIONBIAS_ROW_RADICES>,
                                            visionbias::Radices<VISIONBIAS_COLUMN_RADICES>, VISIONBIAS_PANELS>)
