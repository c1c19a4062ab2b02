// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Discrete Fourier transforms of 1, 2, 3, 4, 5, 7 and 8 numbers, in registers: X[m] = sum_j x[j] exp(-2 pi i m j / R).
#pragma once

#include "simd/lanes.h"

namespace visionbias::VISIONBIAS_TARGET {

struct Complex {
  Floats re, im;
};

VISIONBIAS_INLINE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
VISIONBIAS_INLINE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
VISIONBIAS_INLINE Complex operator*(Complex a, float b) { return {a.re * b, a.im * b}; }
VISIONBIAS_INLINE Complex times_minus_i(Complex a) { return {a.im, -a.re}; }
VISIONBIAS_INLINE Complex turned(Complex a, float cos, float sin) {
  return {a.re * cos - a.im * sin, a.re * sin + a.im * cos};
}

template <int R>
struct Circle;  // cos and sin of 2 pi m / R

template <>
struct Circle<3> {
  static constexpr float cos[] = {1.0f, -0.5f, -0.5f};
  static constexpr float sin[] = {0.0f, 0.86602540378443865f, -0.86602540378443865f};
};
template <>
struct Circle<5> {
  static constexpr float cos[] = {1.0f, 0.30901699437494742f, -0.80901699437494742f, -0.80901699437494742f,
                                  0.30901699437494742f};
  static constexpr float sin[] = {0.0f, 0.95105651629515357f, 0.58778525229247313f, -0.58778525229247313f,
                                  -0.95105651629515357f};
};
template <>
struct Circle<7> {
  static constexpr float cos[] = {1.0f,
                                  0.62348980185873353f,
                                  -0.22252093395631440f,
                                  -0.90096886790241913f,
                                  -0.90096886790241913f,
                                  -0.22252093395631440f,
                                  0.62348980185873353f};
  static constexpr float sin[] = {0.0f,
                                  0.78183148246802981f,
                                  0.97492791218182361f,
                                  0.43388373911755812f,
                                  -0.43388373911755812f,
                                  -0.97492791218182361f,
                                  -0.78183148246802981f};
};

// An odd prime: the sums and the differences of opposite numbers meet real factors only.
template <int R>
VISIONBIAS_INLINE void butterfly(Complex* x) {
  constexpr int half = R / 2;
  Complex sum[half], difference[half];
  for (int j = 0; j < half; ++j) {
    sum[j] = x[j + 1] + x[R - 1 - j];
    difference[j] = x[j + 1] - x[R - 1 - j];
  }
  const Complex first = x[0];
  for (int j = 0; j < half; ++j) x[0] = x[0] + sum[j];
  for (int m = 1; m <= half; ++m) {
    Complex even = first + sum[0] * Circle<R>::cos[m], odd = difference[0] * Circle<R>::sin[m];
    for (int j = 1; j < half; ++j) {
      even = even + sum[j] * Circle<R>::cos[m * (j + 1) % R];
      odd = odd + difference[j] * Circle<R>::sin[m * (j + 1) % R];
    }
    x[m] = even + times_minus_i(odd);
    x[R - m] = even - times_minus_i(odd);
  }
}

template <>
VISIONBIAS_INLINE void butterfly<1>(Complex*) {}

template <>
VISIONBIAS_INLINE void butterfly<2>(Complex* x) {
  const Complex a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

template <>
VISIONBIAS_INLINE void butterfly<4>(Complex* x) {
  const Complex even_sum = x[0] + x[2], even_difference = x[0] - x[2];
  const Complex odd_sum = x[1] + x[3], odd_turned = times_minus_i(x[1] - x[3]);
  x[0] = even_sum + odd_sum;
  x[1] = even_difference + odd_turned;
  x[2] = even_sum - odd_sum;
  x[3] = even_difference - odd_turned;
}

template <>
VISIONBIAS_INLINE void butterfly<8>(Complex* x) {
  constexpr float root = 0.70710678118654752f;  // sqrt(1/2): exp(-i pi / 4) = root (1 - i)
  Complex even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
  butterfly<4>(even);
  butterfly<4>(odd);
  const Complex turned_odd[4] = {odd[0], (odd[1] + times_minus_i(odd[1])) * root, times_minus_i(odd[2]),
                                 (times_minus_i(odd[3]) - odd[3]) * root};
  for (int m = 0; m < 4; ++m) {
    x[m] = even[m] + turned_odd[m];
    x[m + 4] = even[m] - turned_odd[m];
  }
}

}  // namespace visionbias::VISIONBIAS_TARGET
