// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "normalize/normalize.h"

#include <vector>

#include "targets/targets.h"

namespace visionbias {

void normalize(const Input& x, const Output& y, std::ptrdiff_t n, Size size, const float* scale, const float* shift) {
  // Repeated along a row, so that the inner loop has one stride for everything and needs no modulo.
  const std::ptrdiff_t numbers = size.w * size.c;
  std::vector<float> factors(static_cast<std::size_t>(numbers)), terms(static_cast<std::size_t>(numbers));
  for (std::ptrdiff_t i = 0; i < numbers; ++i) {
    factors[static_cast<std::size_t>(i)] = scale[i % size.c];
    terms[static_cast<std::size_t>(i)] = shift[i % size.c];
  }
  const auto convert = kernels().normalize_row;
  const std::ptrdiff_t bytes = bytes_of(y.pixel);
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j < size.h; ++j) {
      convert(static_cast<const std::uint8_t*>(x.data) + i * x.strides.n + j * x.strides.h,
              static_cast<std::uint8_t*>(y.data) + (i * y.strides.n + j * y.strides.h) * bytes, y.pixel,
              factors.data(), terms.data(), numbers);
    }
  }
}

}  // namespace visionbias
