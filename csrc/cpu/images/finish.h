// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// finish: the end of every kernel that emits a stimulus. Clip, scale and shift, round to the output type, store.
#pragma once

#include "images/rows.h"
#include "simd/rounding.h"
#include "threads/scratch.h"

namespace visionbias::VISIONBIAS_TARGET {

constexpr std::ptrdiff_t kPartner = kMostLanes / kLanes;  // registers from one to its partner

struct Pair {
  Floats a, b;  // a register and its partner
};

// y = clip(value / unit + offset, 0, 1) * scale[c] + shift[c], clipped last: scales are positive.
template <class Out>
class Finish {
 public:
  Finish(Size size, RowOrder order, const float* scale, const float* shift, float unit, const Output& y,
         Scratch& memory)
      : order_(order), y_(y), height_(size.h), unit_(unit) {
    scale_ = memory.of<float>(order.row_pitch);
    shift_ = memory.of<float>(order.row_pitch);
    order.zero_padding(scale_);
    order.zero_padding(shift_);
    for (std::ptrdiff_t c = 0; c < size.c; ++c) {
      for (std::ptrdiff_t x = 0; x < size.w; ++x) {
        scale_[order.index(c, x)] = scale[c] / unit;
        shift_[order.index(c, x)] = shift[c];
      }
    }
    streams_ = kPartner == 1 && y.fills_lines<Out>(size);  // partners are a line together, or each its own
  }

  // Register p of every row of one image in one band, and its partner: `value(y)` gives both.
  template <class Value>
  VISIONBIAS_INLINE void store_pair(std::ptrdiff_t band, std::ptrdiff_t image, std::ptrdiff_t p, float offset,
                                    Value value) const {
    Out* to = static_cast<Out*>(y_.data) + band * y_.stride_f + image * y_.strides.n;
    const Register first = at(p, offset), second = at(p + kPartner, offset);
    const std::ptrdiff_t pitch = y_.strides.h, height = height_;
    const auto over_rows = [&](auto put) {
      for (std::ptrdiff_t y = 0; y < height; ++y) {
        const Pair both = value(y);
        put(y * pitch, finished(both.a, first), finished(both.b, second));
      }
    };
    Out *to_first = to + first.offset, *to_second = to + second.offset;
    if (first.count < kLanes || second.count < kLanes) {
      return over_rows([=](std::ptrdiff_t row, Floats a, Floats b) {
        store_some(to_first + row, round_to<Out>(a), first.count);
        store_some(to_second + row, round_to<Out>(b), second.count);
      });
    }
    const auto whole = [&](auto write) {
#if VISIONBIAS_LANES == 16
      if constexpr (sizeof(Out) == 2) {
        if (to_second == to_first + kLanes) {  // a register and its neighbor: one line
          return over_rows(
              [=](std::ptrdiff_t row, Floats a, Floats b) { write(to_first + row, round_both<Out>(a, b)); });
        }
      }
#endif
      over_rows([=](std::ptrdiff_t row, Floats a, Floats b) {
        write(to_first + row, round_to<Out>(a));
        write(to_second + row, round_to<Out>(b));
      });
    };
    streams_ ? whole([&](Out* to, auto lanes) { stream(to, lanes); })
             : whole([&](Out* to, auto lanes) { store(to, lanes); });
  }

 private:
  struct Register {
    std::ptrdiff_t offset, count;  // numbers: from the start of a row, and how many of the register belong to the image
    Floats scale, shift, black, white;
  };

  static VISIONBIAS_INLINE Floats finished(Floats value, const Register& of) {
    return clip(value * of.scale + of.shift, of.black, of.white);
  }

  Register at(std::ptrdiff_t p, float offset) const {
    const std::ptrdiff_t i = p * kLanes, segment = std::min(i / order_.segment_pitch, order_.segments - 1);
    const std::ptrdiff_t first = i - segment * order_.segment_pitch;
    const Floats scale = load<Floats>(scale_ + i), black = load<Floats>(shift_ + i);
    return {segment * y_.strides.c + first,
            std::clamp<std::ptrdiff_t>(order_.length - first, 0, kLanes),
            scale,
            scale * (offset * unit_) + black,
            black,
            scale * unit_ + black};
  }

  RowOrder order_;
  Output y_;
  std::ptrdiff_t height_;
  float unit_;
  float *scale_, *shift_;  // [order.row_pitch]
  bool streams_;
};

}  // namespace visionbias::VISIONBIAS_TARGET
