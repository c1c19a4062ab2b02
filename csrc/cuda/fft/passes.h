// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Transforms of many lines side by side, in place: a thread loads R numbers of a line, and stores what becomes of them
// where they were. Forward leaves the frequencies in the order of their digits reversed, which `Radices::place` tells;
// inverse takes them so.
#pragma once

#include "fft/codelets.h"

namespace visionbias {

// A length as a product of radices, the first pass first.
template <int... kRadix>
struct Radices {
  static constexpr int kPasses = sizeof...(kRadix);
  static constexpr int kLength = (1 * ... * kRadix);

  static constexpr VISIONBIAS_HD int radix(int pass) {
    constexpr int radices[] = {kRadix...};
    return radices[pass];
  }

  static constexpr VISIONBIAS_HD int rest(int pass) {  // of the length, when the passes before are done
    int rest = kLength;
    for (int done = 0; done < pass; ++done) rest /= radix(done);
    return rest;
  }

  // Where a frequency lies.
  static VISIONBIAS_HD int place(int frequency) {
    int place = 0, rest = kLength;
    const int radices[] = {kRadix...};
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      rest /= radices[pass];
      place += frequency % radices[pass] * rest;
      frequency /= radices[pass];
    }
    return place;
  }

  // Which frequency lies at a place.
  static VISIONBIAS_HD int frequency(int place) {
    int frequency = 0, rest = kLength, weight = 1;
    const int radices[] = {kRadix...};
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      rest /= radices[pass];
      frequency += place / rest * weight;
      place %= rest;
      weight *= radices[pass];
    }
    return frequency;
  }
};

// Which numbers of its line a thread has in a pass.
template <class R, int kPass>
struct Butterfly {
  static constexpr int kRadix = R::radix(kPass), kStep = R::rest(kPass) / kRadix, kCount = R::kLength / kRadix;
  static constexpr int kTurn = R::kLength / R::rest(kPass);

  int first, turn;

  VISIONBIAS_HD explicit Butterfly(int i)
      : first(i / kStep * R::rest(kPass) + i % kStep), turn(i % kStep * kTurn) {}
};

// `line(l)` gives line l of `lines`, with get(i) and set(i, z); turns [length]: exp(-2 pi i m / length).
template <class R, int kThreads, int kPass = 0, class Block, class Line>
VISIONBIAS_HD void forward(Block& block, int lines, const Complex* turns, Line line) {
  using Shape = Butterfly<R, kPass>;
  block.phase([&](int thread, typename Block::Registers&) {
    VISIONBIAS_ROLLED for (int i = thread; i < lines * Shape::kCount; i += kThreads) {
      const auto own = line(i % lines);
      const Shape at(i / lines);
      Complex x[Shape::kRadix];
#pragma unroll
      for (int j = 0; j < Shape::kRadix; ++j) x[j] = own.get(at.first + j * Shape::kStep);
      small_transform<Shape::kRadix>(x);
#pragma unroll
      for (int j = 0; j < Shape::kRadix; ++j) {
        if (Shape::kStep > 1 && j > 0) x[j] = x[j] * turns[j * at.turn];
        own.set(at.first + j * Shape::kStep, x[j]);
      }
    }
  });
  if constexpr (kPass + 1 < R::kPasses) forward<R, kThreads, kPass + 1>(block, lines, turns, line);
}

// Back, without the factor 1 / length: the passes in the other order, with real and imaginary parts exchanged.
template <class R, int kThreads, int kPass = R::kPasses - 1, class Block, class Line>
VISIONBIAS_HD void inverse(Block& block, int lines, const Complex* turns, Line line) {
  using Shape = Butterfly<R, kPass>;
  block.phase([&](int thread, typename Block::Registers&) {
    VISIONBIAS_ROLLED for (int i = thread; i < lines * Shape::kCount; i += kThreads) {
      const auto own = line(i % lines);
      const Shape at(i / lines);
      Complex x[Shape::kRadix];
#pragma unroll
      for (int j = 0; j < Shape::kRadix; ++j) {
        x[j] = exchanged(own.get(at.first + j * Shape::kStep));
        if (Shape::kStep > 1 && j > 0) x[j] = x[j] * turns[j * at.turn];
      }
      small_transform<Shape::kRadix>(x);
#pragma unroll
      for (int j = 0; j < Shape::kRadix; ++j) own.set(at.first + j * Shape::kStep, exchanged(x[j]));
    }
  });
  if constexpr (kPass > 0) inverse<R, kThreads, kPass - 1>(block, lines, turns, line);
}

}  // namespace visionbias
