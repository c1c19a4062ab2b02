// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "filter_bank/filter_bank.h"

#include <algorithm>
#include <utility>

#include "targets/targets.h"
#include "threads/threads.h"

namespace visionbias {

FilterBank::FilterBank(Size size, std::vector<float> scale, std::vector<float> shift)
    : size(size), columns(size.h), rows(size.w), scale(std::move(scale)), shift(std::move(shift)) {}

void FilterBank::add_mask(const float* half, std::vector<Emit> emits) {
  const std::ptrdiff_t frequencies = size.h / 2 + 1, w = size.w;
  std::vector<float> weights(static_cast<std::size_t>(KyBlocks::size(frequencies, w)));
  to_ky_blocks(half, 1.0f, size, weights.data());
  Mask mask{-1, -1, {}, std::move(emits)};
  for (std::ptrdiff_t ky = 0; ky < frequencies; ++ky) {
    for (std::ptrdiff_t kx = 0; kx < w; ++kx) {
      if (weights[static_cast<std::size_t>(KyBlocks::place(ky, kx, w))] == 0.0f) continue;
      mask.ky_most = ky;
      mask.kx_most = std::max(mask.kx_most, std::min(kx, w - kx));
    }
  }
  weights.resize(static_cast<std::size_t>(KyBlocks::size(mask.ky_most + 1, w)));
  weights.shrink_to_fit();
  const float pixels = static_cast<float>(size.h * w);
  for (float& weight : weights) weight /= pixels;
  mask.weights = std::move(weights);
  masks.push_back(std::move(mask));
}

void filter_bank(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t n, int threads) {
  const auto run = kernels().filter_bank;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(bank, x, y, i); });
}

}  // namespace visionbias
