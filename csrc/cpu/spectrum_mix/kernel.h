// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// See spectrum_mix.h for what is computed. The spectra exist kLanes ky at a time: what comes after the columns'
// transform stays in the first caches until the rows' inverse.
#pragma once

#include "fft/spectrum.h"
#include "images/finish.h"
#include "images/gather.h"
#include "spectrum_mix/spectrum_mix.h"

namespace visionbias::VISIONBIAS_TARGET {

VISIONBIAS_INLINE Floats power_of(Complex a) { return a.re * a.re + a.im * a.im; }
VISIONBIAS_INLINE Complex scaled(Complex a, Floats by) { return {a.re * by, a.im * by}; }

// Sum of the squares of each channel's pixels, in an order that does not depend on the target.
template <class T>
void sum_squares(const SpectrumShape& shape, const T* rows, float* energy) {
  Scratch memory;
  const auto [c, h, w] = shape.size;
  const std::ptrdiff_t pitch = shape.order.row_pitch;
  float* places = memory.of<float>(pitch);
  for (std::ptrdiff_t p = 0; p < pitch; p += kLanes) {
    Floats sum{};
    for (std::ptrdiff_t y = 0; y < h; ++y) {
      const Floats pixels = load_pixels(rows + y * pitch + p);
      sum += pixels * pixels;
    }
    store(places + p, sum);
  }
  for (std::ptrdiff_t channel = 0; channel < c; ++channel) {
    energy[channel] = 0.0f;
    for (std::ptrdiff_t x = 0; x < w; ++x) energy[channel] += places[shape.order.index(channel, x)];
  }
}

constexpr float kFaintest = 1e-10f;  // no bin below has a phase: float32 must hold its square, and divide by it

// One of the two images of a mixture, its columns transformed.
struct MixedImage {
  SpectrumScratch scratch;
  Complex* block;      // [C, W]: kLanes ky of the spectrum
  float* floor_power;  // [C]: bins of at most this power have no phase; null where every phase will do

  MixedImage(Scratch& memory, const SpectrumMix& mix, const SpectrumShape& shape, const Input& x, std::ptrdiff_t image,
             bool wants_floor)
      : scratch(memory, shape),
        block(memory.of<Complex>(shape.size.c * shape.size.w)),
        floor_power(wants_floor ? memory.of<float>(shape.size.c) : nullptr) {
    x.pixel == Pixel::u8 ? read<std::uint8_t>(mix, shape, x, image) : read<float>(mix, shape, x, image);
  }

 private:
  template <class T>
  void read(const SpectrumMix& mix, const SpectrumShape& shape, const Input& x, std::ptrdiff_t image) {
    Scratch memory;
    T* rows = memory.of<T>(shape.size.h * shape.order.row_pitch);
    gather(static_cast<const T*>(x.data) + image * x.strides.n, x.strides, shape.size, shape.order, rows);
    transform_columns(shape, rows, scratch);
    if (floor_power == nullptr) return;
    sum_squares(shape, rows, floor_power);
    for (std::ptrdiff_t c = 0; c < shape.size.c; ++c) {
      floor_power[c] = std::max(floor_power[c] * mix.floor * mix.floor, kFaintest * kFaintest);
    }
  }
};

VISIONBIAS_INLINE SpectrumShape shape_of(const SpectrumMix& mix, const Output& y) {
  return {mix.size, RowOrder(mix.size, y.channels_last(mix.size)), mix.columns, mix.rows};
}

// What the inverse transform leaves out.
inline Floats inverse_factor(Size size) { return broadcast(1.0f / static_cast<float>(size.h * size.w)); }

// Calls change(i, channel, kx) for every register i of a block.
template <class Change>
VISIONBIAS_INLINE void over_block(const SpectrumShape& shape, Change change) {
  for (std::ptrdiff_t channel = 0, i = 0; channel < shape.size.c; ++channel) {
    for (std::ptrdiff_t kx = 0; kx < shape.size.w; ++kx, ++i) change(i, channel, kx);
  }
}

inline void invert_block(const SpectrumShape& shape, const MixedImage& from, std::ptrdiff_t b) {
  const Complex* block = from.block;
  const std::ptrdiff_t w = shape.size.w;
  invert_rows(shape, from.scratch, b,
              [=](std::ptrdiff_t channel, std::ptrdiff_t kx) { return block[channel * w + kx]; });
}

template <class Out>
void write_as(const SpectrumMix& mix, const SpectrumShape& shape, const MixedImage& from, float unit, const Output& y,
              std::ptrdiff_t band, std::ptrdiff_t image) {
  Scratch memory;
  const Finish<Out> finish(shape.size, shape.order, mix.scale.data(), mix.shift.data(), unit, y, memory);
  invert_columns(shape, shape.size.h / 2, from.scratch, [&](std::ptrdiff_t p, const Complex* column) {
    finish.store_pair(band, image, p, 0.0f, [=](std::ptrdiff_t y) -> Pair { return {column[y].im, column[y].re}; });
  });
}

inline void write(const SpectrumMix& mix, const SpectrumShape& shape, const MixedImage& from, float unit,
                  const Output& y, std::ptrdiff_t band, std::ptrdiff_t image) {
  with_output_type(y.pixel, [&](auto out) { write_as<decltype(out)>(mix, shape, from, unit, y, band, image); });
}

// Phase of a, amplitude of b; b where a has no phase.
VISIONBIAS_INLINE Complex with_amplitude(Complex a, Complex b, float floor_power, Floats factor) {
  const Floats power = power_of(a), floor = broadcast(floor_power), ratio = square_root(power_of(b) / power);
  const Complex mixed = {power <= floor ? b.re : a.re * ratio, power <= floor ? b.im : a.im * ratio};
  return scaled(mixed, factor);
}

inline void phase_swap(const SpectrumMix& mix, const Input& shape_image, const Input& texture_image, const Output& y,
                       std::ptrdiff_t directions, std::ptrdiff_t image) {
  Scratch memory;
  const SpectrumShape shape = shape_of(mix, y);
  const bool both = directions == 2;
  const MixedImage own(memory, mix, shape, shape_image, image, true);
  const MixedImage other(memory, mix, shape, texture_image, image, both);
  const Floats factor = inverse_factor(mix.size);
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    transform_rows(shape, own.scratch, b, own.block);
    transform_rows(shape, other.scratch, b, other.block);
    over_block(shape, [&](std::ptrdiff_t i, std::ptrdiff_t channel, std::ptrdiff_t) {
      const Complex f = own.block[i], g = other.block[i];
      own.block[i] = with_amplitude(f, g, own.floor_power[channel], factor);
      if (both) other.block[i] = with_amplitude(g, f, other.floor_power[channel], factor);
    });
    invert_block(shape, own, b);
    if (both) invert_block(shape, other, b);
  }
  write(mix, shape, own, unit_of(texture_image.pixel), y, 0, image);
  if (both) write(mix, shape, other, unit_of(shape_image.pixel), y, 1, image);
}

inline void random_phase(const SpectrumMix& mix, const Input& x, const Input& noise, const Output& y,
                         std::ptrdiff_t image) {
  Scratch memory;
  const SpectrumShape shape = shape_of(mix, y);
  const MixedImage own(memory, mix, shape, x, image, false);
  const MixedImage phases(memory, mix, shape, noise, image, false);
  const Floats factor = inverse_factor(mix.size);
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    transform_rows(shape, own.scratch, b, own.block);
    transform_rows(shape, phases.scratch, b, phases.block);
    over_block(shape, [&](std::ptrdiff_t i, std::ptrdiff_t, std::ptrdiff_t kx) {
      const Complex f = own.block[i], g = phases.block[i];
      const Floats power = power_of(g), wanted = power_of(f), none{};
      const Floats ratio = square_root(wanted / power);
      Complex mixed = {power > none ? g.re * ratio : square_root(wanted), power > none ? g.im * ratio : none};
      if (b == 0 && kx == 0) {  // the mean: ky is 0 in the first lane
        std::memcpy(&mixed.re, &f.re, sizeof(float));
        std::memcpy(&mixed.im, &f.im, sizeof(float));
      }
      own.block[i] = scaled(mixed, factor);
    });
    invert_block(shape, own, b);
  }
  write(mix, shape, own, unit_of(x.pixel), y, 0, image);
}

// sin(pi r) for r in [-1/2, 1/2]: exact at 0 and at the ends, and 2e-7 off at most.
VISIONBIAS_INLINE Floats sine(Floats r) {
  const float series[] = {3.1415927f, -5.1677127f, 2.5501628f, -0.5992474f, 0.08203123f, -0.0070005f};
  const Floats square = r * r;
  Floats value = broadcast(series[5]);
  for (int i = 4; i >= 0; --i) value = value * square + series[i];
  return value * r;
}

// cos(pi t) + i sin(pi t) for t in [-1, 1].
VISIONBIAS_INLINE Complex on_circle(Floats t) {
  const Floats half = broadcast(0.5f), size = t < Floats{} ? -t : t;
  const Floats acute = size > half ? 1.0f - size : size;
  return {sine(half - size), sine(t < Floats{} ? -acute : acute)};
}

inline void phase_noise(const SpectrumMix& mix, const Input& x, const float* half_turns, const Output& y,
                        std::ptrdiff_t image) {
  Scratch memory;
  const SpectrumShape shape = shape_of(mix, y);
  const auto [c, h, w] = mix.size;
  const MixedImage own(memory, mix, shape, x, image, false);
  float* turns = memory.of<float>(KyBlocks::size(mix.size.h / 2 + 1, mix.size.w));
  to_ky_blocks(half_turns + image * h * (w / 2 + 1), -1.0f, mix.size, turns);
  const Floats factor = inverse_factor(mix.size);
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    transform_rows(shape, own.scratch, b, own.block);
    for (std::ptrdiff_t kx = 0; kx < w; ++kx) {
      const Complex turn = scaled(on_circle(load<Floats>(turns + KyBlocks::place(b * kLanes, kx, w))), factor);
      for (std::ptrdiff_t i = kx; i < c * w; i += w) {  // all channels alike
        const Complex f = own.block[i];
        own.block[i] = {f.re * turn.re - f.im * turn.im, f.re * turn.im + f.im * turn.re};
      }
    }
    invert_block(shape, own, b);
  }
  write(mix, shape, own, unit_of(x.pixel), y, 0, image);
}

inline void power_equalize(const SpectrumMix& mix, const Input& x, const float* amplitude, std::ptrdiff_t planes,
                           const Output& y, std::ptrdiff_t image) {
  Scratch memory;
  const SpectrumShape shape = shape_of(mix, y);
  const MixedImage own(memory, mix, shape, x, image, true);
  const Floats factor = inverse_factor(mix.size) * unit_of(x.pixel);
  const std::ptrdiff_t w = mix.size.w, plane = planes == 1 ? 0 : KyBlocks::size(mix.size.h / 2 + 1, mix.size.w);
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    transform_rows(shape, own.scratch, b, own.block);
    over_block(shape, [&](std::ptrdiff_t i, std::ptrdiff_t channel, std::ptrdiff_t kx) {
      const float* from = amplitude + channel * plane + KyBlocks::place(b * kLanes, kx, w);
      const Floats wanted = load<Floats>(from) * factor, floor = broadcast(own.floor_power[channel]), none{};
      const Complex f = own.block[i];
      const Floats power = power_of(f), ratio = wanted / square_root(power);
      own.block[i] = {power <= floor ? wanted : f.re * ratio, power <= floor ? none : f.im * ratio};
    });
    invert_block(shape, own, b);
  }
  write(mix, shape, own, unit_of(x.pixel), y, 0, image);
}

inline constexpr SpectrumMixKernels spectrum_mix = {phase_swap, random_phase, phase_noise, power_equalize};

}  // namespace visionbias::VISIONBIAS_TARGET
