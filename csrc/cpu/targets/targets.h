// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The kernels, once for each instruction set, and which of them this processor runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "band_noise/band_noise.h"
#include "filter_bank/filter_bank.h"
#include "images/images.h"
#include "spectrum_mix/spectrum_mix.h"

namespace visionbias {

struct Kernels {
  void (*normalize_row)(const std::uint8_t* x, void* y, Pixel pixel, const float* scale, const float* shift,
                        std::ptrdiff_t numbers);
  void (*normals)(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1,
                  std::ptrdiff_t counters, float* out);
  void (*filter_bank)(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t image);
  void (*critical_band)(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y,
                        std::ptrdiff_t channels, std::ptrdiff_t image);
  void (*band_noise)(const BandNoise& plan, const BandFields& fields, float* y, std::ptrdiff_t n, std::ptrdiff_t image);
  SpectrumMixKernels spectrum_mix;
};

// Names of the targets that this processor runs, the best first.
std::vector<std::string> targets();

// What calls use: the best one, unless another was chosen. Throws std::invalid_argument for a name that is not there.
std::string chosen_target();
void choose_target(const std::string& name);

// Of that target.
const Kernels& kernels();

}  // namespace visionbias
