// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// See band_noise.h for what is computed, and visionbias/ops/band_noise/reference.py for its definition.
#pragma once

#include "band_noise/band_noise.h"
#include "band_noise/pyramid.h"
#include "images/grey.h"
#include "normals/kernel.h"

namespace visionbias::VISIONBIAS_TARGET {

constexpr float kLow = 0.1f, kHigh = 0.9f;  // where pixels go that noise brought below 0, above 1
constexpr float kCertain = 0.89f;           // noise below this leaves those two inside [0, 1]

// Calls work(b, band, scale) for each band of one image: what is added for a standard deviation is band * scale * sd.
template <class Work>
void over_bands(const BandNoise& plan, const BandFields& fields, std::ptrdiff_t image, Scratch& memory, Work work) {
  const int deepest = *std::max_element(plan.levels.begin(), plan.levels.end());
  const Pyramid pyramid(plan.h, plan.w, deepest, plan.residual, memory);
  const std::ptrdiff_t pixels = plan.h * plan.w;
  double finest = 0.0;
  for (std::size_t b = 0; b < plan.levels.size(); ++b) {
    const bool same = fields.given ? fields.given_b == 0 : fields.streams.size() == 1;
    const Plane* band = nullptr;
    if (b == 0 || !same) {
      if (fields.given) {
        const std::ptrdiff_t first = image * fields.given_n + static_cast<std::ptrdiff_t>(b) * fields.given_b;
        std::copy_n(fields.given + first, pixels, pyramid.field());
      } else {
        normals(fields.seed, fields.streams[b], fields.keys[2 * image], fields.keys[2 * image + 1], (pixels + 3) / 4,
                pyramid.field());
      }
      pyramid.analyze();
      band = &pyramid.reconstruct(0);
      finest = sum_of_squares(*band);
    }
    if (band == nullptr || plan.levels[b] != 0) band = &pyramid.reconstruct(plan.levels[b]);
    const double own = plan.levels[b] == 0 ? finest : sum_of_squares(*band);
    work(b, *band, own > 0.0 ? static_cast<float>(std::sqrt(finest / own)) : 0.0f);
  }
}

inline float largest_magnitude(const Plane& plane) {
  float largest = 0.0f;
  for (std::ptrdiff_t i = 0; i < plane.size(); ++i) {
    const float size = std::fabs(plane.data[i]);
    largest = size > largest ? size : largest;
  }
  return largest;
}

// Noise in (condition, pixel) that no move to kLow or kHigh can take: pixel plus new normals, until that is inside.
inline float draw_again(float pixel, float sd, std::uint64_t seed, std::uint32_t stream, const std::uint32_t* key,
                        std::ptrdiff_t place, std::ptrdiff_t pixels) {
  const auto counters = static_cast<std::uint32_t>((pixels + 3) / 4);
  for (auto counter = static_cast<std::uint32_t>(place / 4);; counter += counters) {
    const Philox4 random = philox4x32_10(counter, stream, key[0], key[1], static_cast<std::uint32_t>(seed),
                                         static_cast<std::uint32_t>(seed >> 32));
    const std::ptrdiff_t pair = place % 4 / 2 * 2;
    const Normal2 z = box_muller(random.word[pair], random.word[pair + 1]);
    const float y = pixel + sd * (place % 2 == 0 ? z.first : z.second);
    if (y >= 0.0f && y <= 1.0f) return y;
  }
}

template <class T, class Out>
void critical_band_image(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y,
                         std::ptrdiff_t channels, std::ptrdiff_t image) {
  Scratch memory;
  const std::ptrdiff_t h = plan.h, w = plan.w;
  float* grey = memory.of<float>(h * w + kMostLanes);  // registers are read from the end of a row on
  low_contrast(static_cast<const T*>(x.data) + image * x.strides.n, x.strides, {channels, h, w}, plan.contrast,
               plan.luminance, grey);
  const GreyStore<Out> out(h, w, plan.scale.data(), plan.shift.data(), y);
  const auto show = [&](std::size_t b, const Plane& band, float scale) {
    const float largest = largest_magnitude(band) * scale;
    for (std::size_t s = 0; s < plan.sds.size(); ++s) {
      const float sd = plan.sds[s], factor = scale * sd;
      const auto condition_s = static_cast<std::ptrdiff_t>(s), condition_b = static_cast<std::ptrdiff_t>(b);
      const Floats zero{}, one = broadcast(1.0f), low = broadcast(kLow), high = broadcast(kHigh);
      for (std::ptrdiff_t row = 0; row < h; ++row) {
        const float *pixels = grey + row * w, *noise = band.row(row);
        out.store_row(condition_s, condition_b, image, row, [=](std::ptrdiff_t i) {
          const Floats sum = load<Floats>(pixels + i) + load<Floats>(noise + i) * factor;
          const Floats raised = sum < zero ? low : sum;
          return raised > one ? high : raised;
        });
      }
      if (largest * sd < kCertain) continue;
      for (std::ptrdiff_t i = 0; i < h * w; ++i) {
        const float noise = band.data[i] * factor, sum = grey[i] + noise;
        if ((sum < 0.0f && kLow - noise > 1.0f) || (sum > 1.0f && kHigh - noise < 0.0f)) {
          const float drawn = draw_again(grey[i], sd, fields.seed, fields.redraws[s * plan.levels.size() + b],
                                         fields.keys + 2 * image, i, h * w);
          out.store_pixel(condition_s, condition_b, image, i / w, i % w, drawn);
        }
      }
    }
  };
  if (std::any_of(plan.sds.begin(), plan.sds.end(), [](float sd) { return sd > 0.0f; })) {
    over_bands(plan, fields, image, memory, show);
  } else {
    for (std::size_t b = 0; b < plan.levels.size(); ++b) show(b, {grey, h, w}, 0.0f);
  }
}

template <class T>
void critical_band_image(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y,
                         std::ptrdiff_t channels, std::ptrdiff_t image) {
  with_output_type(y.pixel, [&](auto out) {
    critical_band_image<T, decltype(out)>(plan, fields, x, y, channels, image);
  });
}

inline void critical_band(const BandNoise& plan, const BandFields& fields, const Input& x, const Output& y,
                          std::ptrdiff_t channels, std::ptrdiff_t image) {
  x.pixel == Pixel::u8 ? critical_band_image<std::uint8_t>(plan, fields, x, y, channels, image)
                       : critical_band_image<float>(plan, fields, x, y, channels, image);
}

inline void band_noise(const BandNoise& plan, const BandFields& fields, float* y, std::ptrdiff_t n,
                       std::ptrdiff_t image) {
  Scratch memory;
  over_bands(plan, fields, image, memory, [&](std::size_t b, const Plane& band, float scale) {
    float* VISIONBIAS_RESTRICT to = y + (static_cast<std::ptrdiff_t>(b) * n + image) * band.size();
    for (std::ptrdiff_t i = 0; i < band.size(); ++i) to[i] = band.data[i] * scale;
  });
}

}  // namespace visionbias::VISIONBIAS_TARGET
