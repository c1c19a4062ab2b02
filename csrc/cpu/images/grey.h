// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// grey: between images and planes of one grey channel.
#pragma once

#include "images/images.h"
#include "simd/rounding.h"

namespace visionbias::VISIONBIAS_TARGET {

// Luma of ITU-R 601 as Pillow has it, of u8 rounded to u8; of images with one channel that channel.
inline std::uint32_t grey_of(const std::uint8_t* rgb, std::ptrdiff_t step) {
  return (19595u * rgb[0] + 38470u * rgb[step] + 7471u * rgb[2 * step] + 32768u) >> 16;
}

inline float grey_of(const float* rgb, std::ptrdiff_t step) {
  return (19595.0f * rgb[0] + 38470.0f * rgb[step] + 7471.0f * rgb[2 * step]) * (1.0f / 65536.0f);
}

// x [C, H, W] -> plane [H, W] in [0, 1]: (grey - its mean) * contrast + luminance; 224x224: 0.35 MB moved.
template <class T>
void low_contrast(const T* x, Strides strides, Size size, float contrast, float luminance,
                  float* VISIONBIAS_RESTRICT plane) {
  double sum = 0.0;
  for (std::ptrdiff_t y = 0; y < size.h; ++y) {
    float* row = plane + y * size.w;
    for (std::ptrdiff_t i = 0; i < size.w; ++i) {
      const T* pixel = x + y * strides.h + i * strides.w;
      row[i] = static_cast<float>(size.c == 3 ? grey_of(pixel, strides.c) : *pixel);
      sum += static_cast<double>(row[i]);
    }
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(size.h * size.w));
  const float factor = contrast / unit_of<T>();
  for (std::ptrdiff_t i = 0; i < size.h * size.w; ++i) plane[i] = (plane[i] - mean) * factor + luminance;
}

// y = value * scale[c] + shift[c] in all three channels, for values in [0, 1].
template <class Out>
class GreyStore {
  using Lanes = decltype(round_to<Out>(Floats{}));

 public:
  GreyStore(std::ptrdiff_t h, std::ptrdiff_t w, const float* scale, const float* shift, const Output& y)
      : w_(w),
        y_(y),
        channels_last_(y.channels_last({kChannels, h, w})),
        streams_(y.fills_lines<Out>({kChannels, h, w})),
        factors_(scale),
        terms_(shift) {
    for (int part = 0; part < kChannels; ++part) {
      float factors[kLanes], terms[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        const int c = channels_last_ ? (part * kLanes + lane) % kChannels : part;
        factors[lane] = scale[c];
        terms[lane] = shift[c];
      }
      scale_[part] = load<Floats>(factors);
      shift_[part] = load<Floats>(terms);
    }
  }

  // Row `y` of an image in a condition: `value(x)` gives kLanes pixels from x on; it may read behind the row.
  template <class Value>
  VISIONBIAS_INLINE void store_row(std::ptrdiff_t s, std::ptrdiff_t band, std::ptrdiff_t image, std::ptrdiff_t y,
                                   Value value) const {
    Out* to = row(s, band, image, y);
    std::ptrdiff_t x = 0;
    if (streams_) {
      for (; x < w_; x += kLanes) parts(value(x), [&](int part, Lanes lanes) { stream(to + place(x, part), lanes); });
      return;
    }
    for (; x + kLanes <= w_; x += kLanes) {
      parts(value(x), [&](int part, Lanes lanes) { store(to + place(x, part), lanes); });
    }
    if (x == w_) return;
    const std::ptrdiff_t rest = w_ - x;
    parts(value(x), [&](int part, Lanes lanes) {
      const std::ptrdiff_t numbers = channels_last_ ? kChannels * rest - part * kLanes : rest;
      store_some(to + place(x, part), lanes, std::clamp<std::ptrdiff_t>(numbers, 0, kLanes));
    });
  }

  // One pixel.
  void store_pixel(std::ptrdiff_t s, std::ptrdiff_t band, std::ptrdiff_t image, std::ptrdiff_t y, std::ptrdiff_t x,
                   float value) const {
    Out* to = row(s, band, image, y) + x * y_.strides.w;
    for (int c = 0; c < kChannels; ++c) {
      store_some(to + c * y_.strides.c, round_to<Out>(broadcast(value) * factors_[c] + terms_[c]), 1);
    }
  }

 private:
  static constexpr int kChannels = 3;

  Out* row(std::ptrdiff_t s, std::ptrdiff_t band, std::ptrdiff_t image, std::ptrdiff_t y) const {
    return static_cast<Out*>(y_.data) + s * y_.stride_s + band * y_.stride_f + image * y_.strides.n + y * y_.strides.h;
  }

  std::ptrdiff_t place(std::ptrdiff_t x, int part) const {
    return channels_last_ ? kChannels * x + part * kLanes : part * y_.strides.c + x;
  }

  template <class Put>
  VISIONBIAS_INLINE void parts(Floats value, Put put) const {
    if (channels_last_) {
      put(0, round_to<Out>(thrice<0>(value) * scale_[0] + shift_[0]));
      put(1, round_to<Out>(thrice<1>(value) * scale_[1] + shift_[1]));
      put(2, round_to<Out>(thrice<2>(value) * scale_[2] + shift_[2]));
    } else {
      for (int c = 0; c < kChannels; ++c) put(c, round_to<Out>(value * scale_[c] + shift_[c]));
    }
  }

  std::ptrdiff_t w_;
  Output y_;
  bool channels_last_, streams_;
  const float *factors_, *terms_;               // [3]
  Floats scale_[kChannels], shift_[kChannels];  // of each part
};

}  // namespace visionbias::VISIONBIAS_TARGET
