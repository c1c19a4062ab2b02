// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// See normalize.h for what is computed.
#pragma once

#include "simd/rounding.h"

namespace visionbias::VISIONBIAS_TARGET {

template <class Out>
void normalize_numbers(const std::uint8_t* x, Out* y, const float* scale, const float* shift, std::ptrdiff_t size) {
  std::ptrdiff_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    store(y + i, round_to<Out>(load_pixels(x + i) * load<Floats>(scale + i) + load<Floats>(shift + i)));
  }
  if constexpr (kLanes > 1) {
    const auto rest = static_cast<std::size_t>(size - i);
    std::uint8_t pixels[kLanes] = {};
    float factors[kLanes] = {}, terms[kLanes] = {};
    std::memcpy(pixels, x + i, rest);
    std::memcpy(factors, scale + i, rest * sizeof(float));
    std::memcpy(terms, shift + i, rest * sizeof(float));
    const auto rounded = round_to<Out>(load_pixels(pixels) * load<Floats>(factors) + load<Floats>(terms));
    std::memcpy(y + i, &rounded, rest * sizeof(Out));
  }
}

inline void normalize_row(const std::uint8_t* x, void* y, Pixel pixel, const float* scale, const float* shift,
                          std::ptrdiff_t size) {
  with_output_type(pixel, [=](auto out) {
    normalize_numbers(x, static_cast<decltype(out)*>(y), scale, shift, size);
  });
}

}  // namespace visionbias::VISIONBIAS_TARGET
