// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// How real weights of a half plane lie in memory, so that every target loads a register of them.
#pragma once

#include <cstddef>

#include "images/images.h"

namespace visionbias {

// [blocks of kBlock ky, W, kBlock], ky from 0
struct KyBlocks {
  static constexpr std::ptrdiff_t kBlock = 16;

  // Numbers in all, of `rows` ky.
  static std::ptrdiff_t size(std::ptrdiff_t rows, std::ptrdiff_t w) { return (rows + kBlock - 1) / kBlock * w * kBlock; }

  // Where the kBlock numbers around (ky, kx) hold this one; the next ky of the block are behind it.
  static std::ptrdiff_t place(std::ptrdiff_t ky, std::ptrdiff_t kx, std::ptrdiff_t w) {
    return (ky / kBlock * w + kx) * kBlock + ky % kBlock;
  }
};

// From the other half plane, kx >= 0, [H, W / 2 + 1], of a function with f(-k) = sign f(k).
void to_ky_blocks(const float* half, float sign, Size size, float* blocks);

}  // namespace visionbias
