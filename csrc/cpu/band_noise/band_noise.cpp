// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "band_noise/band_noise.h"

#include "targets/targets.h"
#include "threads/threads.h"

namespace visionbias {

void critical_band(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y, std::ptrdiff_t n,
                   std::ptrdiff_t channels, int threads) {
  const auto run = kernels().critical_band;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(plan, fields, x, y, channels, i); });
}

void band_noise(const BandNoise& plan, const BandFields& fields, float* y, std::ptrdiff_t n, int threads) {
  const auto run = kernels().band_noise;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(plan, fields, y, n, i); });
}

}  // namespace visionbias
