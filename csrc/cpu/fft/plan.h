// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// How a transform of one length is made of short ones: Stockham's passes, which leave the result in order.
#pragma once

#include <cstddef>
#include <vector>

namespace visionbias {

struct FftPass {
  int radix;
  std::ptrdiff_t count;      // short transforms at one phase: what is left of the length, over the radix
  std::ptrdiff_t stride;     // product of the radices before
  std::vector<float> turns;  // [count, radix - 1, 2]: cos and sin of -2 pi k j / (count radix), for 0 < j < radix
};

struct FftPlan {
  std::ptrdiff_t n;
  std::vector<FftPass> passes;  // two or more; those of radix 1 move only

  // Throws std::invalid_argument where n has a prime factor over 7.
  explicit FftPlan(std::ptrdiff_t n);
};

}  // namespace visionbias
