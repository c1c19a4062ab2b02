// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The Laplacian pyramid of a field (Burt & Adelson, 1983), by separable passes of five taps.
//
// Down: blur with [1 4 6 4 1] / 16 on both axes and keep every second sample. Up: zeros between, and twice that blur.
// The border is reflected about the edge sample. Published code has sqrt(2) on both ways; these factors cancel in what
// is reconstructed, and are left out. Plain loops along rows, which the compiler gives this target's registers.
// 224x224: 0.2 MB a plane; down and up again once is 1.5 MF.
#pragma once

#include "simd/most_lanes.h"
#include "simd/target.h"
#include "threads/scratch.h"

namespace visionbias::VISIONBIAS_TARGET {

struct Plane {  // [h, w], rows side by side
  float* data;
  std::ptrdiff_t h, w;

  float* row(std::ptrdiff_t y) const { return data + y * w; }
  std::ptrdiff_t size() const { return h * w; }
};

class Pyramid {
 public:
  // Levels up to `deepest` of a field [h, w] whose last level is `residual`.
  Pyramid(std::ptrdiff_t h, std::ptrdiff_t w, int deepest, int residual, Scratch& memory) : residual_(residual) {
    const std::ptrdiff_t coarser = std::min(deepest + 1, residual);
    wide_ = memory.of<float>(half(h) * w);
    row_ = memory.of<float>(w + 2 * kBorder);
    for (std::ptrdiff_t b = 0; b <= coarser; ++b, h = half(h), w = half(w)) {
      for (std::vector<Plane>* planes : {&gaussian_, &rebuilt_}) {
        planes->push_back({memory.of<float>(h * w + kMostLanes), h, w});  // a register may be read from its end on
      }
    }
  }

  // [h, w], to be filled before `analyze`; up to kMostLanes numbers behind it may be written.
  float* field() const { return gaussian_[0].data; }

  void analyze() const {
    for (std::size_t b = 0; b + 1 < gaussian_.size(); ++b) down(gaussian_[b], gaussian_[b + 1]);
  }

  // One level at the size of the field; valid until the next call.
  const Plane& reconstruct(int level) const {
    const auto b = static_cast<std::size_t>(level);
    if (level == residual_) {
      std::copy_n(gaussian_[b].data, gaussian_[b].size(), rebuilt_[b].data);
    } else {
      up(gaussian_[b + 1], rebuilt_[b]);
      const float* VISIONBIAS_RESTRICT own = gaussian_[b].data;
      float* VISIONBIAS_RESTRICT rebuilt = rebuilt_[b].data;
      for (std::ptrdiff_t i = 0; i < rebuilt_[b].size(); ++i) rebuilt[i] = own[i] - rebuilt[i];
    }
    for (std::size_t c = b; c > 0; --c) up(rebuilt_[c], rebuilt_[c - 1]);
    return rebuilt_[0];
  }

 private:
  static constexpr std::ptrdiff_t kBorder = 2;

  static std::ptrdiff_t half(std::ptrdiff_t n) { return (n + 1) / 2; }

  static std::ptrdiff_t reflected(std::ptrdiff_t place, std::ptrdiff_t n) {
    place = std::abs(place);
    return place < n ? place : 2 * (n - 1) - place;
  }

  // Where the finer axis of length n, reflected, has the sample `place` of the coarser one: -1 ... half(n).
  static std::ptrdiff_t reflected_coarse(std::ptrdiff_t place, std::ptrdiff_t n) { return reflected(2 * place, n) / 2; }

  void down(const Plane& from, const Plane& to) const {
    const std::ptrdiff_t w = from.w;
    float* VISIONBIAS_RESTRICT row = row_ + kBorder;
    for (std::ptrdiff_t y = 0; y < to.h; ++y) {
      const float* rows[5];
      for (int tap = 0; tap < 5; ++tap) rows[tap] = from.row(reflected(2 * y + tap - 2, from.h));
      const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4];
      for (std::ptrdiff_t x = 0; x < w; ++x) row[x] = blurred(a[x], b[x], c[x], d[x], e[x]);
      row[-2] = row[2], row[-1] = row[1], row[w] = row[w - 2], row[w + 1] = row[w - 3];
      float* VISIONBIAS_RESTRICT coarse = to.row(y);
      for (std::ptrdiff_t x = 0; x < to.w; ++x) {
        const float* at = row + 2 * x;
        coarse[x] = blurred(at[-2], at[-1], at[0], at[1], at[2]);
      }
    }
  }

  static float blurred(float a, float b, float c, float d, float e) {
    return (a + e) * 0.0625f + (b + d) * 0.25f + c * 0.375f;
  }

  void up(const Plane& from, const Plane& to) const {
    const std::ptrdiff_t w = to.w, m = from.w;
    float* VISIONBIAS_RESTRICT row = row_ + kBorder;
    for (std::ptrdiff_t y = 0; y < from.h; ++y) {
      std::copy_n(from.row(y), m, row);
      row[-1] = row[reflected_coarse(-1, w)];
      row[m] = row[reflected_coarse(m, w)];
      float* VISIONBIAS_RESTRICT wide = wide_ + y * w;
      for (std::ptrdiff_t x = 0; x < w / 2; ++x) {
        wide[2 * x] = at_sample(row[x - 1], row[x], row[x + 1]);
        wide[2 * x + 1] = between(row[x], row[x + 1]);
      }
      if (w % 2 == 1) wide[w - 1] = at_sample(row[m - 2], row[m - 1], row[m]);
    }
    for (std::ptrdiff_t y = 0; y < to.h; ++y) {
      const std::ptrdiff_t own = y / 2;
      const float* VISIONBIAS_RESTRICT a = wide_ + reflected_coarse(own - 1, to.h) * w;
      const float* VISIONBIAS_RESTRICT b = wide_ + own * w;
      const float* VISIONBIAS_RESTRICT c = wide_ + reflected_coarse(own + 1, to.h) * w;
      float* VISIONBIAS_RESTRICT fine = to.row(y);
      if (y % 2 == 0) {
        for (std::ptrdiff_t x = 0; x < w; ++x) fine[x] = at_sample(a[x], b[x], c[x]);
      } else {
        for (std::ptrdiff_t x = 0; x < w; ++x) fine[x] = between(b[x], c[x]);
      }
    }
  }

  static float at_sample(float a, float b, float c) { return (a + c) * 0.125f + b * 0.75f; }
  static float between(float a, float b) { return (a + b) * 0.5f; }

  int residual_;
  std::vector<Plane> gaussian_, rebuilt_;
  float* wide_;  // [half(h), w]: the columns of a level, wide as those of the next finer one
  float* row_;   // [w + 2 kBorder]
};

// Sums in a fixed order, so that every target has the same.
inline double sum_of_squares(const Plane& plane) {
  constexpr std::ptrdiff_t kChunk = 64 * kMostLanes;
  const float* x = plane.data;
  double total = 0.0;
  std::ptrdiff_t i = 0;
  while (i + kMostLanes <= plane.size()) {
    float partial[kMostLanes] = {};
    const std::ptrdiff_t end = std::min(i + kChunk, plane.size() - kMostLanes + 1);
    for (; i < end; i += kMostLanes) {
      for (std::ptrdiff_t lane = 0; lane < kMostLanes; ++lane) partial[lane] += x[i + lane] * x[i + lane];
    }
    for (const float sum : partial) total += static_cast<double>(sum);
  }
  for (; i < plane.size(); ++i) total += static_cast<double>(x[i] * x[i]);
  return total;
}

}  // namespace visionbias::VISIONBIAS_TARGET
