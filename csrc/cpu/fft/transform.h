// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// kLanes transforms side by side: X[k] = sum_i x[i] exp(-2 pi i k / n), lane by lane.
//
// `load(i)` gives x[i], and `store(k, X[k])` takes the result where it is not kept in the transform's own memory. An
// inverse transform is the same with real and imaginary parts exchanged in both.
// n log2(n) 5 flops a lane; 224 complex numbers of 16 lanes are 28 KB, so a pass stays in the first cache.
#pragma once

#include "fft/codelets.h"
#include "fft/plan.h"

namespace visionbias::VISIONBIAS_TARGET {

template <int R, class Load, class Store>
VISIONBIAS_INLINE void run_pass(const FftPass& pass, Load load, Store store) {
  const std::ptrdiff_t count = pass.count, stride = pass.stride;
  for (std::ptrdiff_t q = 0; q < stride; ++q) {  // the phase 0, without turns
    Complex x[R];
    for (int j = 0; j < R; ++j) x[j] = load(q + stride * count * j);
    butterfly<R>(x);
    for (int j = 0; j < R; ++j) store(q + stride * j, x[j]);
  }
  const float* turn = pass.turns.data();
  for (std::ptrdiff_t k = 1; k < count; ++k) {
    turn += 2 * (R - 1);
    for (std::ptrdiff_t q = 0; q < stride; ++q) {
      Complex x[R];
      for (int j = 0; j < R; ++j) x[j] = load(q + stride * (k + count * j));
      butterfly<R>(x);
      store(q + stride * R * k, x[0]);
      for (int j = 1; j < R; ++j) {
        store(q + stride * (R * k + j), turned(x[j], turn[2 * (j - 1)], turn[2 * (j - 1) + 1]));
      }
    }
  }
}

template <class Load, class Store>
VISIONBIAS_INLINE void run_pass(const FftPass& pass, Load load, Store store) {
  switch (pass.radix) {
    case 1:
      return run_pass<1>(pass, load, store);
    case 2:
      return run_pass<2>(pass, load, store);
    case 3:
      return run_pass<3>(pass, load, store);
    case 4:
      return run_pass<4>(pass, load, store);
    case 5:
      return run_pass<5>(pass, load, store);
    case 7:
      return run_pass<7>(pass, load, store);
    default:
      return run_pass<8>(pass, load, store);
  }
}

// All passes but the last, from one half of `work` to the other. What they leave, and where there is room.
struct Halves {
  const Complex* from;
  Complex* to;
};

template <class Load>
VISIONBIAS_INLINE Halves run_passes(const FftPlan& plan, Complex* VISIONBIAS_RESTRICT work, Load load) {
  Complex *from = work, *to = work + plan.n;
  run_pass(plan.passes.front(), load, [=](std::ptrdiff_t k, Complex x) { from[k] = x; });
  for (std::size_t i = 1; i + 1 < plan.passes.size(); ++i) {
    run_pass(
        plan.passes[i], [=](std::ptrdiff_t k) { return from[k]; }, [=](std::ptrdiff_t k, Complex x) { to[k] = x; });
    std::swap(from, to);
  }
  return {from, to};
}

template <class Load, class Store>
void transform(const FftPlan& plan, Complex* VISIONBIAS_RESTRICT work,  // [2, n]
               Load load, Store store) {
  const Complex* from = run_passes(plan, work, load).from;
  run_pass(plan.passes.back(), [=](std::ptrdiff_t k) { return from[k]; }, store);
}

// The same into one half of `work`: [n].
template <class Load>
const Complex* transform(const FftPlan& plan, Complex* VISIONBIAS_RESTRICT work, Load load) {
  const Halves half = run_passes(plan, work, load);
  run_pass(
      plan.passes.back(), [=](std::ptrdiff_t k) { return half.from[k]; },
      [=](std::ptrdiff_t k, Complex x) { half.to[k] = x; });
  return half.to;
}

}  // namespace visionbias::VISIONBIAS_TARGET
