// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "filter_bank/filter_bank.h"

#include <algorithm>
#include <utility>

#include "targets/targets.h"
#include "threads/threads.h"

namespace visionbias {

FilterBank::FilterBank(Size size, const float* scale, const float* shift)
    : size(size), columns(size.h), rows(size.w), scale(scale, scale + size.c), shift(shift, shift + size.c) {}

void FilterBank::add_mask(const float* weights, std::vector<Emit> emits) {
  const std::ptrdiff_t frequencies = size.h / 2 + 1, w = size.w;
  Mask mask{-1, -1, {}, std::move(emits)};
  for (std::ptrdiff_t ky = 0; ky < frequencies; ++ky) {
    for (std::ptrdiff_t kx = 0; kx < w; ++kx) {
      if (weights[ky * w + kx] == 0.0f) continue;
      mask.ky_most = ky;
      mask.kx_most = std::max(mask.kx_most, std::min(kx, w - kx));
    }
  }
  const float pixels = static_cast<float>(size.h * w);
  mask.weights.assign(static_cast<std::size_t>(KyBlocks::size(mask.ky_most + 1, w)), 0.0f);
  for (std::ptrdiff_t ky = 0; ky <= mask.ky_most; ++ky) {
    for (std::ptrdiff_t kx = 0; kx < w; ++kx) {
      mask.weights[static_cast<std::size_t>(KyBlocks::place(ky, kx, w))] = weights[ky * w + kx] / pixels;
    }
  }
  masks.push_back(std::move(mask));
}

void filter_bank(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t n, int threads) {
  const auto run = target().filter_bank;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(bank, x, y, i); });
}

}  // namespace visionbias
