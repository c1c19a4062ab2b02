// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// band_noise: grey images of low contrast in noise of one octave, all strengths of a band in one visit.
// x [N, 1 or 3, H, W] u8 or f32 -> y [S, B, N, 3, H, W] f32, f16 or bf16
// 28 conditions of 224x224x3 to bf16: 8.4 MB written an image, 2.8 us at 3.0 TB/s; two or three times 0.35 M normals of
// 55 instructions each, 1.3 us on 132 multiprocessors. Definition: visionbias/ops/band_noise/reference.py
//
// A block has an image in one band. The field is never stored: it is drawn strip by strip for level 1, and again
// wherever level 0 is needed. The coarser levels lie in shared memory, 67 KB at 224 x 224, so that three blocks share
// a multiprocessor; the strips lie where levels 2 and on come later. The band takes the place of the levels it was made
// of, up to level 1; the last step up is made pixel by pixel, for its sum of squares and again for the output.
#pragma once

#include "band_noise/pyramid.h"
#include "block/sum.h"
#include "images/images.h"
#include "normals/unit_normals.h"

namespace visionbias {

struct BandNoiseArguments {
  static constexpr int kMostBands = 7, kMostSds = 16;

  Images x;
  Stimuli y;
  const float* given;          // [H, W] at each image and band, or null
  long long given_n, given_b;  // from one to the next
  const uint32_t* keys;        // [N, 2]
  float* unit;                 // [B, N, H, W], of UnitBandNoise
  Seed seed;
  int32_t n, bands, sds, channels;
  int32_t noisy, whole;  // whether any sd is not 0; whether images of y have no gaps and start at whole lines
  float contrast, luminance;
  float scale[3], shift[3];
  int32_t levels[kMostBands];    // [B], 0 the finest
  uint32_t streams[kMostBands];  // [B]
  float sd[kMostSds];            // [S]
  uint32_t redraws[kMostSds * kMostBands];  // [S, B], of pixels that are drawn again
};

struct BandNoiseRegisters {
  float partial, mean, scale;
  bool again;  // whether a pixel takes new normals
  double total, finest;
};

// What both kernels do: everything but the output.
template <int kHeight, int kWidth>
struct BandNoise {
  using Arguments = BandNoiseArguments;
  using Registers = BandNoiseRegisters;
  using Sizes = PyramidSizes<kHeight, kWidth>;

  static constexpr int kThreads = VISIONBIAS_THREADS, kTogether = 3;
  static constexpr int kPixels = kHeight * kWidth, kCoarsest = Sizes::kCoarsest;
  static constexpr int kRun = 8, kRuns = (kPixels + kRun - 1) / kRun;  // of pixels that a thread has at once
  static constexpr int kFloats = 4 * (VISIONBIAS_SHARED - kSumBytes) / 16;
  static constexpr int kSumOffset = 4 * kFloats, kSharedBytes = kSumOffset + kSumBytes;
  static constexpr int kStripOffset = kCoarsest > 0 ? Sizes::size(1) : 0;
  // Rows of level 1 that a strip of the field makes; each takes two of its rows, and three more for the taps.
  static constexpr int kStripRows = ((kFloats - kStripOffset) / kWidth - 3) / 2;
  static_assert(kCoarsest == 0 || kStripRows > 0, "no room for a strip");
  static_assert(Sizes::offset(kCoarsest + 1) <= kFloats, "no room for the levels");

  struct Field {
    const Arguments& a;
    int band, image;

    // Pixels 4 i ... 4 i + 3; nothing is said of those behind the last.
    VISIONBIAS_HD Normal4 four(int i) const {
      if (a.given == nullptr) {
        const uint32_t* key = a.keys + 2 * image;
        return normals_at(static_cast<uint32_t>(i), a.streams[band], key[0], key[1], a.seed);
      }
      const float* from = a.given + image * a.given_n + band * a.given_b;
      Normal4 normal;
      for (int j = 0; j < 4; ++j) normal.z[j] = 4 * i + j < kPixels ? from[4 * i + j] : 0.0f;
      return normal;
    }
  };

  template <class Levels>
  struct Plane {  // of the levels
    const Levels& levels;
    int offset, width;

    VISIONBIAS_HD float operator()(int row, int column) const { return levels.get(offset + row * width + column); }
  };

  template <class Levels>
  static VISIONBIAS_HD Plane<Levels> level(const Levels& levels, int b) {
    return {levels, Sizes::offset(b), Sizes::width(b)};
  }

  template <class Block>
  static VISIONBIAS_HD auto levels_of(Block& block) {
    return block.template shared<float>(0, kFloats);
  }

  // The field's level 1, strip by strip.
  template <class Block>
  static VISIONBIAS_HD void first_level(Block& block, const Field& field) {
    constexpr int kRows = Sizes::height(1), kColumns = Sizes::width(1);
    const auto levels = levels_of(block);
    for (int top = 0; top < kRows; top += kStripRows) {
      const int rows = kRows - top < kStripRows ? kRows - top : kStripRows;
      const int above = 2 * top - 2 > 0 ? 2 * top - 2 : 0, under = 2 * (top + rows) + 1;  // rows of the field
      const int first = above * kWidth, last = (under < kHeight ? under : kHeight) * kWidth;
      block.phase([&](int thread, Registers&) {
        for (int i = first / 4 + thread; 4 * i < last; i += kThreads) {
          const Normal4 normal = field.four(i);
          for (int j = 0; j < 4; ++j) {
            const int pixel = 4 * i + j;
            if (pixel >= first && pixel < last) levels.set(kStripOffset + pixel - first, normal.z[j]);
          }
        }
      });
      block.phase([&](int thread, Registers&) {
        for (int i = thread; i < rows * kColumns; i += kThreads) {
          const float sample = down_sample(kHeight, kWidth, top + i / kColumns, i % kColumns, [&](int row, int column) {
            return levels.get(kStripOffset + (row - above) * kWidth + column);
          });
          levels.set(top * kColumns + i, sample);
        }
      });
    }
  }

  // Levels kFrom + 1 ... coarsest.
  template <int kFrom, class Block>
  static VISIONBIAS_HD void coarser_levels(Block& block, int coarsest) {
    if constexpr (kFrom < kCoarsest) {
      if (kFrom >= coarsest) return;
      const auto levels = levels_of(block);
      block.phase([&](int thread, Registers&) {
        constexpr int kTo = kFrom + 1, kColumns = Sizes::width(kTo);
        for (int i = thread; i < Sizes::size(kTo); i += kThreads) {
          levels.set(Sizes::offset(kTo) + i, down_sample(Sizes::height(kFrom), Sizes::width(kFrom), i / kColumns,
                                                         i % kColumns, level(levels, kFrom)));
        }
      });
      coarser_levels<kFrom + 1>(block, coarsest);
    }
  }


  // Levels kFrom ... 1 in their own places: of the band's level what the next coarser one does not hold, of each finer
  // one the step up. The last level of all stays what it is.
  template <int kFrom, class Block>
  static VISIONBIAS_HD void rebuild(Block& block, int own) {
    if constexpr (kFrom > 0) {
      if (kFrom <= own) {
        const auto levels = levels_of(block);
        block.phase([&](int thread, Registers&) {
          constexpr int kColumns = Sizes::width(kFrom);
          for (int i = thread; i < Sizes::size(kFrom); i += kThreads) {
            const float up = up_sample(Sizes::height(kFrom), kColumns, i / kColumns, i % kColumns,
                                       level(levels, kFrom + 1));
            const int place = Sizes::offset(kFrom) + i;
            levels.set(place, kFrom == own ? levels.get(place) - up : up);
          }
        });
      }
      rebuild<kFrom - 1>(block, own);
    }
  }

  // kRun pixels of the band, before its scale. `own` is 0 while level 1 is the field's.
  template <class Levels>
  static VISIONBIAS_HD void band_run(const Levels& levels, const Field& field, int own, int run, float (&value)[kRun]) {
    if (own == 0) {
      for (int half = 0; half < kRun / 4; ++half) {
        const Normal4 normal = field.four(run * (kRun / 4) + half);
        for (int j = 0; j < 4; ++j) value[4 * half + j] = normal.z[j];
      }
    }
    if constexpr (kCoarsest > 0) {
      for (int j = 0; j < kRun; ++j) {
        const int pixel = run * kRun + j < kPixels ? run * kRun + j : kPixels - 1;
        const float up = up_sample(kHeight, kWidth, pixel / kWidth, pixel % kWidth, level(levels, 1));
        value[j] = own == 0 ? value[j] - up : up;
      }
    }
  }

  template <class Levels>
  static VISIONBIAS_HD float band_pixel(const Levels& levels, const Field& field, int own, int pixel) {
    const float normal = own == 0 ? field.four(pixel / 4).at(pixel % 4) : 0.0f;
    if constexpr (kCoarsest == 0) return normal;
    const float up = up_sample(kHeight, kWidth, pixel / kWidth, pixel % kWidth, level(levels, 1));
    return own == 0 ? normal - up : up;
  }

  // Leaves in `own.total` of each thread the band's sum of squares.
  template <class Block>
  static VISIONBIAS_HD void sum_squares(Block& block, const Field& field, int own_level) {
    const auto levels = levels_of(block);
    block.phase([&](int thread, Registers& own) {
      own.partial = 0.0f;
      VISIONBIAS_ROLLED for (int run = thread; run < kRuns; run += kThreads) {
        float value[kRun];
        band_run(levels, field, own_level, run, value);
        for (int j = 0; j < kRun; ++j) {
          if (run * kRun + j < kPixels) own.partial += value[j] * value[j];
        }
      }
    });
    sum_partials<kThreads, Registers>(block, kSumOffset);
  }

  // Leaves the band in the levels, as `band_run` reads it, and its scale for a standard deviation of 1 in `own.scale`.
  template <class Block>
  static VISIONBIAS_HD void prepare(Block& block, const Field& field, int own_level) {
    if constexpr (kCoarsest > 0) {
      first_level(block, field);
      coarser_levels<1>(block, own_level + 1);
    }
    sum_squares(block, field, 0);
    block.phase([&](int, Registers& own) { own.finest = own.total; });
    if (own_level > 0) {
      rebuild<kCoarsest - 1>(block, own_level);
      sum_squares(block, field, own_level);
    }
    block.phase([&](int, Registers& own) {
      own.scale = own.total > 0.0 ? static_cast<float>(sqrt(own.finest / own.total)) : 0.0f;
    });
  }
};

// Unit noise of each band.
template <int kHeight, int kWidth>
struct UnitBandNoise : BandNoise<kHeight, kWidth> {
  using Base = BandNoise<kHeight, kWidth>;
  using typename Base::Arguments;
  using typename Base::Registers;

  template <class Block>
  static VISIONBIAS_HD void body(Block& block, const Arguments& a) {
    const int band = block.index() % a.bands, image = block.index() / a.bands;
    const typename Base::Field field{a, band, image};
    Base::prepare(block, field, a.levels[band]);
    const auto levels = Base::levels_of(block);
    block.phase([&](int thread, Registers& own) {
      float* to = a.unit + (static_cast<long long>(band) * a.n + image) * Base::kPixels;
      VISIONBIAS_ROLLED for (int run = thread; run < Base::kRuns; run += Base::kThreads) {
        float value[Base::kRun];
        Base::band_run(levels, field, a.levels[band], run, value);
        for (int j = 0; j < Base::kRun; ++j) {
          if (run * Base::kRun + j < Base::kPixels) to[run * Base::kRun + j] = value[j] * own.scale;
        }
      }
    });
  }
};

template <int kHeight, int kWidth>
struct CriticalBand : BandNoise<kHeight, kWidth> {
  using Base = BandNoise<kHeight, kWidth>;
  using typename Base::Arguments;
  using typename Base::Registers;
  using Base::kPixels;
  using Base::kRun;

  static constexpr float kLow = 0.1f, kHigh = 0.9f;  // where pixels go that noise brought below 0, above 1

  // Luma of ITU-R 601 as Pillow has it, of u8 rounded to u8; of images with one channel that channel.
  static VISIONBIAS_HD float grey(const Arguments& a, int image, int pixel) {
    const Images& x = a.x;
    const long long at = image * x.n + pixel / kWidth * x.h + pixel % kWidth * x.w;
    if (a.channels == 1) return x.pixel(at);
    const float red = x.pixel(at), green = x.pixel(at + x.c), blue = x.pixel(at + 2 * x.c);
    if (x.type == kF32) return (19595.0f * red + 38470.0f * green + 7471.0f * blue) * (1.0f / 65536.0f);
    const auto weighted = 19595u * static_cast<uint32_t>(red) + 38470u * static_cast<uint32_t>(green) +
                          7471u * static_cast<uint32_t>(blue);
    return static_cast<float>((weighted + 32768u) >> 16);
  }

  // Pixel plus new normals until that is inside [0, 1]; attempt t has the counters of field number t.
  static VISIONBIAS_HD float draw_again(const Arguments& a, int image, int condition, int place, float pixel) {
    constexpr uint32_t kCounters = (kPixels + 3) / 4;
    const uint32_t* key = a.keys + 2 * image;
    for (auto counter = static_cast<uint32_t>(place / 4);; counter += kCounters) {
      const Normal4 normal = normals_at(counter, a.redraws[condition], key[0], key[1], a.seed);
      const float y = pixel + a.sd[condition / a.bands] * normal.at(place % 4);
      if (y >= 0.0f && y <= 1.0f) return y;
    }
  }

  static VISIONBIAS_HD float low_contrast(const Arguments& a, int image, int pixel, float mean) {
    return (grey(a, image, pixel) - mean) * (a.contrast / a.x.unit()) + a.luminance;
  }

  // Whether neither kLow nor kHigh would do.
  static VISIONBIAS_HD bool takes_new_normals(float pixel, float noise) {
    const float sum = pixel + noise;
    return (sum < 0.0f && kLow - noise > 1.0f) || (sum > 1.0f && kHigh - noise < 0.0f);
  }

  static VISIONBIAS_HD float in_bounds(float sum) { return sum < 0.0f ? kLow : sum > 1.0f ? kHigh : sum; }

  // kRun pixels in three channels.
  static VISIONBIAS_HD void store_pixels(const Arguments& a, long long at, int run, const float (&value)[kRun]) {
    const Stimuli& y = a.y;
    if (a.whole && (run + 1) * kRun <= kPixels) {
      if (y.c == 1) {
        store_run<3 * kRun>(y, at + 3ll * run * kRun, [&](int i) {
          return value[i / 3] * a.scale[i % 3] + a.shift[i % 3];
        });
      } else {
        for (int c = 0; c < 3; ++c) {
          store_run<kRun>(y, at + c * y.c + run * kRun, [&](int i) { return value[i] * a.scale[c] + a.shift[c]; });
        }
      }
      return;
    }
    for (int j = 0; j < kRun; ++j) {
      if (run * kRun + j < kPixels) store_pixel(a, at, run * kRun + j, value[j]);
    }
  }

  static VISIONBIAS_HD void store_pixel(const Arguments& a, long long at, int pixel, float value) {
    const long long place = at + pixel / kWidth * a.y.h + pixel % kWidth * a.y.w;
    for (int c = 0; c < 3; ++c) store(a.y, place + c * a.y.c, value * a.scale[c] + a.shift[c]);
  }

  template <class Block>
  static VISIONBIAS_HD void body(Block& block, const Arguments& a) {
    const int band = block.index() % a.bands, image = block.index() / a.bands, own_level = a.levels[band];
    const typename Base::Field field{a, band, image};
    block.phase([&](int thread, Registers& own) {
      own.partial = 0.0f;  // of u8 a whole number that float32 holds
      for (int pixel = thread; pixel < kPixels; pixel += Base::kThreads) own.partial += grey(a, image, pixel);
    });
    sum_partials<Base::kThreads, Registers>(block, Base::kSumOffset);
    block.phase([&](int, Registers& own) { own.mean = static_cast<float>(own.total / kPixels); });
    if (a.noisy) Base::prepare(block, field, own_level);
    const auto levels = Base::levels_of(block);
    const long long at = band * a.y.f + image * a.y.n;
    block.phase([&](int thread, Registers& own) {
      own.again = false;
      VISIONBIAS_ROLLED for (int run = thread; run < Base::kRuns; run += Base::kThreads) {
        float noise[kRun], pixels[kRun];
        if (a.noisy) Base::band_run(levels, field, own_level, run, noise);
        for (int j = 0; j < kRun; ++j) {
          pixels[j] = low_contrast(a, image, run * kRun + j < kPixels ? run * kRun + j : kPixels - 1, own.mean);
          noise[j] = a.noisy ? noise[j] * own.scale : 0.0f;
        }
        VISIONBIAS_ROLLED for (int s = 0; s < a.sds; ++s) {
          float value[kRun];
          for (int j = 0; j < kRun; ++j) {
            own.again |= takes_new_normals(pixels[j], noise[j] * a.sd[s]);
            value[j] = in_bounds(pixels[j] + noise[j] * a.sd[s]);
          }
          store_pixels(a, s * a.y.s + at, run, value);
        }
      }
    });
    block.phase([&](int thread, Registers& own) {
      if (!own.again) return;  // nearly always
      VISIONBIAS_ROLLED for (int run = thread; run < Base::kRuns; run += Base::kThreads) {
        const int end = (run + 1) * kRun < kPixels ? (run + 1) * kRun : kPixels;
        VISIONBIAS_ROLLED for (int pixel = run * kRun; pixel < end; ++pixel) {
          const float noise = Base::band_pixel(levels, field, own_level, pixel) * own.scale;
          const float shown = low_contrast(a, image, pixel, own.mean);
          for (int s = 0; s < a.sds; ++s) {
            if (!takes_new_normals(shown, noise * a.sd[s])) continue;
            store_pixel(a, s * a.y.s + at, pixel, draw_again(a, image, s * a.bands + band, pixel, shown));
          }
        }
      }
    });
  }
};

}  // namespace visionbias
