// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// How real weights of a half plane lie in memory, so that every target loads a register of them.
#pragma once

#include <cstddef>

#include "images/images.h"
#include "simd/most_lanes.h"

namespace visionbias {

// [blocks of kMostLanes ky, W, kMostLanes], ky from 0
struct KyBlocks {
  // Numbers in all, of `rows` ky.
  static std::ptrdiff_t size(std::ptrdiff_t rows, std::ptrdiff_t w) {
    return (rows + kMostLanes - 1) / kMostLanes * w * kMostLanes;
  }

  // Where (ky, kx) is; the next ky of its block are behind it.
  static std::ptrdiff_t place(std::ptrdiff_t ky, std::ptrdiff_t kx, std::ptrdiff_t w) {
    return (ky / kMostLanes * w + kx) * kMostLanes + ky % kMostLanes;
  }
};

// From the other half plane, kx >= 0, [H, W / 2 + 1], of a function with f(-k) = sign f(k).
void to_ky_blocks(const float* half, float sign, Size size, float* blocks);

}  // namespace visionbias
