// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Discrete Fourier transforms of 2 ... 16 numbers in a thread's registers: X[m] = sum_j x[j] exp(-2 pi i m j / R).
// 2, 3, 5 and 7 are written out, the others are made of two of them.
#pragma once

#include "common/portable.h"

namespace visionbias {

struct alignas(8) Complex {
  float re, im;
};

VISIONBIAS_HD Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
VISIONBIAS_HD Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
VISIONBIAS_HD Complex operator*(Complex a, float b) { return {a.re * b, a.im * b}; }
VISIONBIAS_HD Complex operator*(Complex a, Complex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
VISIONBIAS_HD Complex times_minus_i(Complex a) { return {a.im, -a.re}; }
VISIONBIAS_HD Complex conjugate(Complex a) { return {a.re, -a.im}; }
VISIONBIAS_HD Complex exchanged(Complex a) { return {a.im, a.re}; }
VISIONBIAS_HD float power_of(Complex a) { return a.re * a.re + a.im * a.im; }

// cos(2 pi m / n) and sin(2 pi m / n), exact where they are whole; for the compiler to evaluate.
constexpr VISIONBIAS_HD double circle_series(double x, bool sine) {  // |x| <= pi / 4
  double term = sine ? x : 1.0, sum = 0.0;
  for (int i = sine ? 1 : 0; i < 20; i += 2) {
    sum += term;
    term *= -x * x / ((i + 1) * (i + 2));
  }
  return sum;
}

constexpr VISIONBIAS_HD double circle_cos(int m, int n) {
  constexpr double kPi = 3.14159265358979323846;
  m = m < 0 ? -m % n : m % n;
  if (2 * m > n) m = n - m;
  if (4 * m > n) return -circle_cos(n - 2 * m, 2 * n);
  return 8 * m > n ? circle_series(kPi * (n - 4 * m) / (2 * n), true) : circle_series(2 * kPi * m / n, false);
}

constexpr VISIONBIAS_HD double circle_sin(int m, int n) { return circle_cos(4 * m - n, 4 * n); }

template <int R>
struct Circle {
  float cos[R], sin[R];

  constexpr VISIONBIAS_HD Circle() : cos{}, sin{} {
    for (int m = 0; m < R; ++m) {
      cos[m] = static_cast<float>(circle_cos(m, R));
      sin[m] = static_cast<float>(circle_sin(m, R));
    }
  }
};

constexpr VISIONBIAS_HD int first_factor(int r) {
  if (r % 4 == 0 && r > 4) return 4;
  for (int factor = 2; factor < r; ++factor) {
    if (r % factor == 0) return factor;
  }
  return r;
}

template <int R>
VISIONBIAS_HD void small_transform(Complex (&x)[R]);

template <int R>
VISIONBIAS_HD void odd_prime(Complex (&x)[R]) {  // sums and differences of opposite numbers meet real factors only
  constexpr int half = R / 2;
  constexpr Circle<R> circle;
  Complex sum[half], difference[half];
#pragma unroll
  for (int j = 0; j < half; ++j) {
    sum[j] = x[j + 1] + x[R - 1 - j];
    difference[j] = x[j + 1] - x[R - 1 - j];
  }
  const Complex first = x[0];
#pragma unroll
  for (int j = 0; j < half; ++j) x[0] = x[0] + sum[j];
#pragma unroll
  for (int m = 1; m <= half; ++m) {
    Complex even = first, odd = {0.0f, 0.0f};
#pragma unroll
    for (int j = 0; j < half; ++j) {
      even = even + sum[j] * circle.cos[m * (j + 1) % R];
      odd = odd + difference[j] * circle.sin[m * (j + 1) % R];
    }
    x[m] = even + times_minus_i(odd);
    x[R - m] = even - times_minus_i(odd);
  }
}

template <int A, int B>  // A transforms of B after B of A
VISIONBIAS_HD void product_transform(Complex (&x)[A * B]) {
  constexpr Circle<A * B> circle;
  Complex rows[B][A];
#pragma unroll
  for (int b = 0; b < B; ++b) {
#pragma unroll
    for (int a = 0; a < A; ++a) rows[b][a] = x[a * B + b];
    small_transform<A>(rows[b]);
  }
#pragma unroll
  for (int a = 0; a < A; ++a) {
    Complex column[B];
#pragma unroll
    for (int b = 0; b < B; ++b) {
      const float cos = circle.cos[a * b % (A * B)], sin = circle.sin[a * b % (A * B)];
      const Complex z = rows[b][a];
      column[b] = sin == 0.0f ? z : cos == 0.0f ? times_minus_i(z) : z * Complex{cos, -sin};
    }
    small_transform<B>(column);
#pragma unroll
    for (int b = 0; b < B; ++b) x[a + A * b] = column[b];
  }
}

template <int R>
VISIONBIAS_HD void small_transform(Complex (&x)[R]) {
  if constexpr (R == 2) {
    const Complex a = x[0], b = x[1];
    x[0] = a + b;
    x[1] = a - b;
  } else if constexpr (first_factor(R) == R) {
    odd_prime<R>(x);
  } else {
    product_transform<first_factor(R), R / first_factor(R)>(x);
  }
}

}  // namespace visionbias
