// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Sizes of a Laplacian pyramid (Burt & Adelson, 1983), and one sample of a step down and of a step up.
//
// As csrc/cpu/band_noise: [1 4 6 4 1] / 16 on the way down, twice that between zeros on the way up, the border
// reflected about the edge sample. Each sample is made by itself from 25 or 9 others, with no plane between the axes.
#pragma once

#include "common/portable.h"

namespace visionbias {

template <int kHeight, int kWidth>
struct PyramidSizes {
  static constexpr int kTaps = 5, kMostBands = 7;

  static constexpr VISIONBIAS_HD int height(int level) { return side(kHeight, level); }
  static constexpr VISIONBIAS_HD int width(int level) { return side(kWidth, level); }
  static constexpr VISIONBIAS_HD int size(int level) { return height(level) * width(level); }

  static constexpr VISIONBIAS_HD int residual() {  // the last level
    int side = kHeight < kWidth ? kHeight : kWidth, level = 0;
    for (; side >= kTaps; side /= 2) ++level;
    return level;
  }

  // The coarsest level that a band needs: the next one to its own, unless that is the last.
  static constexpr int kCoarsest = residual() < kMostBands ? residual() : kMostBands;

  // Where a level from 1 on lies behind the finer ones.
  static constexpr VISIONBIAS_HD int offset(int level) {
    int sum = 0;
    for (int finer = 1; finer < level; ++finer) sum += size(finer);
    return sum;
  }

 private:
  static constexpr VISIONBIAS_HD int side(int n, int level) {
    for (; level > 0; --level) n = (n + 1) / 2;
    return n;
  }
};

VISIONBIAS_HD int reflected(int place, int n) {
  place = place < 0 ? -place : place;
  return place < n ? place : 2 * (n - 1) - place;
}

VISIONBIAS_HD float blurred(const float (&at)[5]) {
  return (at[0] + at[4]) * 0.0625f + (at[1] + at[3]) * 0.25f + at[2] * 0.375f;
}

// Sample (y, x) of the next coarser level of a plane [h, w]; `get(row, column)` gives the plane's.
template <class Get>
VISIONBIAS_HD float down_sample(int h, int w, int y, int x, Get get) {
  float rows[5];
  for (int i = 0; i < 5; ++i) {
    const int row = reflected(2 * y + i - 2, h);
    float at[5];
    for (int j = 0; j < 5; ++j) at[j] = get(row, reflected(2 * x + j - 2, w));
    rows[i] = blurred(at);
  }
  return blurred(rows);
}

// The coarse samples around a place of a finer axis of length n, and what they weigh.
struct UpTaps {
  int place[3];
  float weight[3];

  VISIONBIAS_HD UpTaps(int fine, int n) {
    const int own = fine / 2;
    const bool between = fine % 2 == 1;
    place[0] = reflected(2 * (own - 1), n) / 2;
    place[1] = own;
    place[2] = reflected(2 * (own + 1), n) / 2;
    weight[0] = between ? 0.0f : 0.125f;
    weight[1] = between ? 0.5f : 0.75f;
    weight[2] = between ? 0.5f : 0.125f;
  }
};

// Sample (y, x) of a plane [h, w] from the next coarser level, which `get(row, column)` gives.
template <class Get>
VISIONBIAS_HD float up_sample(int h, int w, int y, int x, Get get) {
  const UpTaps rows(y, h), columns(x, w);
  float sum = 0.0f;
  for (int i = 0; i < 3; ++i) {
    float row = 0.0f;
    for (int j = 0; j < 3; ++j) row += columns.weight[j] * get(rows.place[i], columns.place[j]);
    sum += rows.weight[i] * row;
  }
  return sum;
}

}  // namespace visionbias
