// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "fft/plan.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace visionbias {
namespace {

std::vector<int> radices_of(std::ptrdiff_t n) {
  std::vector<int> radices;
  std::ptrdiff_t rest = n;
  for (const int radix : {8, 7, 5, 4, 3, 2}) {
    while (rest % radix == 0) {
      radices.push_back(radix);
      rest /= radix;
    }
  }
  if (rest != 1) throw std::invalid_argument("side " + std::to_string(n) + " has a prime factor over 7");
  while (radices.size() < 2) radices.push_back(1);
  return radices;
}

}  // namespace

FftPlan::FftPlan(std::ptrdiff_t n) : n(n) {
  const double circle = 2.0 * std::acos(-1.0);
  std::ptrdiff_t stride = 1;
  for (const int radix : radices_of(n)) {
    FftPass pass{radix, n / stride / radix, stride, {}};
    for (std::ptrdiff_t k = 0; k < pass.count; ++k) {
      for (int j = 1; j < radix; ++j) {
        const double angle = -circle * static_cast<double>(k * j) / static_cast<double>(pass.count * radix);
        pass.turns.push_back(static_cast<float>(std::cos(angle)));
        pass.turns.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    passes.push_back(std::move(pass));
    stride *= radix;
  }
}

}  // namespace visionbias
