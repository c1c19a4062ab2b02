// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// band_noise: grey images of low contrast in noise of one octave, all bands and all strengths in one visit of an image.
// x [N, 1 or 3, H, W] u8 or f32 -> y [S, B, N, 3, H, W] f32, f16 or bf16
// 28 conditions of 224x224x3 to bf16, a field for each band: 0.15 MB read, 8.4 MB written, 0.35 M normals an image; at
// 20 GB/s of one core's stores it would take 0.4 ms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "images/images.h"

namespace visionbias {

// What the calls of one kind have in common.
struct BandNoise {
  std::ptrdiff_t h, w;
  std::vector<int> levels;  // [B], of the pyramid, 0 the finest
  int residual;             // the last level
  std::vector<float> sds;   // [S]
  float contrast, luminance;
  std::vector<float> scale, shift;  // [3]
};

// Unit normals for the images of a call: a sequence for each band, or one for all, or fields that the caller has.
struct BandFields {
  std::uint64_t seed;
  const std::uint32_t* keys;           // [N, 2]
  std::vector<std::uint32_t> streams;  // [B], or [1] for one field
  std::vector<std::uint32_t> redraws;  // [S, B], of pixels that are drawn again
  const float* given;                  // [H, W] at each image and band, or null
  std::ptrdiff_t given_n, given_b;     // from one to the next
};

void critical_band(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y, std::ptrdiff_t n,
                   std::ptrdiff_t channels, int threads);

// Unit noise of each band: y [B, N, H, W].
void band_noise(const BandNoise& plan, const BandFields& fields, float* y, std::ptrdiff_t n, int threads);

}  // namespace visionbias
