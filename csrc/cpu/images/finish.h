// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// finish: the end of every kernel that emits a stimulus. Clip, scale and shift, round to the output type, store.
#pragma once

#include "images/rows.h"
#include "threads/scratch.h"
#include "simd/rounding.h"

namespace visionbias::VISIONBIAS_TARGET {

constexpr std::ptrdiff_t kPartner = RowOrder::kHalfGroup / kLanes;  // registers from one to its partner

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
    scale_ = memory.of<float>(2 * order.size);
    shift_ = scale_ + order.size;
    std::fill_n(scale_, 2 * order.size, 0.0f);
    for (std::ptrdiff_t c = 0; c < size.c; ++c) {
      for (std::ptrdiff_t x = 0; x < size.w; ++x) {
        scale_[order.place(c, x, size.c)] = scale[c] / unit;
        shift_[order.place(c, x, size.c)] = shift[c];
      }
    }
    // Neighbors are a line of the cache together, or each its own: only then is it worth to write past the caches.
    const auto aligned = [](std::ptrdiff_t elements) { return elements * sizeof(Out) % kLine == 0; };
    streams_ = kPartner == 1 && reinterpret_cast<std::uintptr_t>(y.data) % kLine == 0 &&
               aligned(y.stride_f) && aligned(y.strides.n) && aligned(y.strides.h) &&
               (order.segments == 1 ? order.length % RowOrder::kHalfGroup == 0
                                    : aligned(y.strides.c) && aligned(order.length));
  }

  // Register p of every row of one image in one band, and its partner: `value(y)` gives both.
  template <class Value>
  VISIONBIAS_INLINE void store_pair(std::ptrdiff_t band, std::ptrdiff_t image, std::ptrdiff_t p, float offset,
                                    Value value) const {
    Out* to = static_cast<Out*>(y_.data) + band * y_.stride_f + image * y_.strides.n;
    const Place first = place(p, offset), second = place(p + kPartner, offset);
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
#if VISIONBIAS_LANES == 16
    if constexpr (sizeof(Out) == 2) {
      if (to_second == to_first + kLanes) {  // a register and its neighbor: one line
        if (streams_) {
          return over_rows([=](std::ptrdiff_t row, Floats a, Floats b) { stream(to_first + row, round_both<Out>(a, b)); });
        }
        return over_rows([=](std::ptrdiff_t row, Floats a, Floats b) { store(to_first + row, round_both<Out>(a, b)); });
      }
    }
#endif
    if (streams_) {
      return over_rows([=](std::ptrdiff_t row, Floats a, Floats b) {
        stream(to_first + row, round_to<Out>(a));
        stream(to_second + row, round_to<Out>(b));
      });
    }
    over_rows([=](std::ptrdiff_t row, Floats a, Floats b) {
      store(to_first + row, round_to<Out>(a));
      store(to_second + row, round_to<Out>(b));
    });
  }

 private:
  static constexpr std::size_t kLine = 64;

  struct Place {
    std::ptrdiff_t offset, count;  // numbers: from the start of a row, and how many of the register belong to the image
    Floats scale, shift, black, white;
  };

  static VISIONBIAS_INLINE Floats finished(Floats value, const Place& place) {
    return clip(value * place.scale + place.shift, place.black, place.white);
  }

  Place place(std::ptrdiff_t p, float offset) const {
    const std::ptrdiff_t place = p * kLanes, segment = std::min(place / order_.padded, order_.segments - 1);
    const std::ptrdiff_t first = place - segment * order_.padded;
    const Floats scale = load<Floats>(scale_ + place), black = load<Floats>(shift_ + place);
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
  float *scale_, *shift_;  // [order.size]
  bool streams_;
};

}  // namespace visionbias::VISIONBIAS_TARGET
