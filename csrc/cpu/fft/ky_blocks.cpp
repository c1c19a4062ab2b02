// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "fft/ky_blocks.h"

#include <algorithm>

namespace visionbias {

void to_ky_blocks(const float* half, float sign, Size size, float* blocks) {
  const std::ptrdiff_t h = size.h, w = size.w, columns = w / 2 + 1;
  std::fill_n(blocks, KyBlocks::size(h / 2 + 1, w), 0.0f);
  for (std::ptrdiff_t ky = 0; ky <= h / 2; ++ky) {
    const float *row = half + ky * columns, *opposite = half + (h - ky) % h * columns;
    for (std::ptrdiff_t kx = 0; kx < columns; ++kx) blocks[KyBlocks::place(ky, kx, w)] = row[kx];
    for (std::ptrdiff_t kx = columns; kx < w; ++kx) blocks[KyBlocks::place(ky, kx, w)] = sign * opposite[w - kx];
  }
}

}  // namespace visionbias
