// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Two unit normals from two random words (Box and Muller, 1958), defined to the bit: see visionbias/ops/philox.
#pragma once

#include "common/portable.h"

namespace visionbias {

struct Normal2 {
  float first, second;
};

template <int N>
VISIONBIAS_HD float polynomial(const float (&coefficients)[N], float x) {  // lowest power first
  float value = coefficients[N - 1];
  for (int i = N - 2; i >= 0; --i) value = add(multiply(value, x), coefficients[i]);
  return value;
}

// (bits + 1/2) / 2^23 for 23 bits: exact, and never 0 or 1.
VISIONBIAS_HD float fraction(uint32_t bits) {
  return multiply(static_cast<float>(static_cast<int32_t>(2 * bits + 1)), 5.9604644775390625e-8f);
}

VISIONBIAS_HD float natural_log(float u) {
  // (ln(1 + f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)]
  const float series[] = {-0.4999999f,  0.3333395f,   -0.25001755f, 0.19962072f,
                          -0.16570508f, 0.14917974f, -0.14307521f, 0.08734841f};
  const int32_t bits = bits_of(u), exponent = (bits - 0x3F3504F3) >> 23;
  const float f = add(float_of(bits - exponent * (1 << 23)), -1.0f);
  const float mantissa = add(f, multiply(multiply(f, f), polynomial(series, f)));
  return add(multiply(static_cast<float>(exponent), 0.6931472f), mantissa);
}

VISIONBIAS_HD Normal2 box_muller(uint32_t w0, uint32_t w1) {
  const float sine[] = {1.5707963f, -0.64596331f, 0.079680227f, -0.0046021806f};  // sin(pi/2 a) / a in a^2
  const float cosine[] = {0.99999997f, -1.233697f, 0.25359863f, -0.020408345f};   // cos(pi/2 a) in a^2
  const float radius = square_root(multiply(-2.0f, natural_log(fraction(w0 >> 9))));
  const float a = add(fraction((w1 >> 7) & 0x7FFFFFu), -0.5f);
  const float square = multiply(a, a);
  const float c = polynomial(cosine, square), s = multiply(polynomial(sine, square), a);
  const uint32_t quarter = w1 >> 30;  // of the circle
  const float sign = (quarter & 2) ? -1.0f : 1.0f;
  const float x = (quarter & 1) ? -s : c, y = (quarter & 1) ? c : s;
  return {multiply(radius, multiply(sign, x)), multiply(radius, multiply(sign, y))};
}

}  // namespace visionbias
