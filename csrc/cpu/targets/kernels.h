// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// All kernels for the target of this translation unit.
#pragma once

#include "band_noise/kernel.h"
#include "filter_bank/kernel.h"
#include "normalize/kernel.h"
#include "normals/kernel.h"
#include "spectrum_mix/kernel.h"
#include "targets/targets.h"
