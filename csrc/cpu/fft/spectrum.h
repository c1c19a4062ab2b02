// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The two-dimensional real transform of an image, and back.
//
// rows [H, order.size] real <-> half plane [blocks of kLanes ky, C, W], ky in [0, H / 2]
// Columns first, since a row of pixels is a row of registers: two registers of real columns make one complex transform.
// Partners lie half a group apart, see RowOrder.
// Then the axes change places, kLanes x kLanes in registers, and the rows are transformed the same way, kLanes
// frequencies side by side. 224x224x3: 10 MF; rows, half plane and the space between are 0.6 to 0.7 MB each.
#pragma once

#include "fft/transform.h"
#include "images/finish.h"
#include "images/rows.h"
#include "threads/scratch.h"

namespace visionbias::VISIONBIAS_TARGET {

struct SpectrumShape {
  Size size;
  RowOrder order;
  const FftPlan& columns;  // of length H
  const FftPlan& rows;     // of length W

  std::ptrdiff_t registers() const { return order.size / kLanes; }  // in a row
  std::ptrdiff_t frequencies() const { return size.h / 2 + 1; }     // ky
  std::ptrdiff_t blocks() const { return (frequencies() + kLanes - 1) / kLanes; }
  std::ptrdiff_t half_plane() const { return blocks() * size.c * size.w; }
};

// Calls work(p) for each register p of a row that has its partner at p + kPartner.
template <class Work>
VISIONBIAS_INLINE void over_pairs(const SpectrumShape& shape, Work work) {
  for (std::ptrdiff_t group = 0; group < shape.registers(); group += 2 * kPartner) {
    for (std::ptrdiff_t p = group; p < group + kPartner; ++p) work(p);
  }
}

// What one image passes through on its way.
struct SpectrumScratch {
  Complex* between;  // [blocks * kLanes, registers]: frequencies ky, places in the row
  Complex* block;    // [order.size]: a row's places, kLanes frequencies ky
  Complex* work;     // [2, max(H, W)]

  SpectrumScratch(Scratch& memory, const SpectrumShape& shape) {
    const std::ptrdiff_t between_size = shape.blocks() * kLanes * shape.registers();
    between = memory.of<Complex>(between_size + shape.order.size + 2 * std::max(shape.size.h, shape.size.w));
    block = between + between_size;
    work = block + shape.order.size;
    const std::ptrdiff_t written = shape.frequencies() * shape.registers();
    std::fill_n(between + written, between_size - written, Complex{});
  }
};

VISIONBIAS_INLINE Complex exchanged(Complex a) { return {a.im, a.re}; }

VISIONBIAS_INLINE void transpose_complex(const Complex* from, std::ptrdiff_t from_stride, Complex* to,
                                         std::ptrdiff_t to_stride) {
  Floats re[kLanes], im[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    re[i] = from[i * from_stride].re;
    im[i] = from[i * from_stride].im;
  }
  transpose(re);
  transpose(im);
  for (int i = 0; i < kLanes; ++i) to[i * to_stride] = {re[i], im[i]};
}

template <class T>  // u8 or float
void to_spectrum(const SpectrumShape& shape, const T* rows, const SpectrumScratch& scratch, Complex* half_plane) {
  const std::ptrdiff_t c = shape.size.c, h = shape.size.h, w = shape.size.w;
  const std::ptrdiff_t registers = shape.registers(), pitch = shape.order.size;
  over_pairs(shape, [&](std::ptrdiff_t p) {
    const T* pair = rows + p * kLanes;
    const Complex* column = transform(shape.columns, scratch.work, [=](std::ptrdiff_t y) -> Complex {
      return {load_pixels(pair + y * pitch), load_pixels(pair + y * pitch + RowOrder::kHalfGroup)};
    });
    // Z = A + i B with A and B of real columns: A[k] = (Z[k] + conj Z[-k]) / 2, B[k] = (Z[k] - conj Z[-k]) / 2i
    for (std::ptrdiff_t k = 0; k < shape.frequencies(); ++k) {
      const Complex z = column[k], mirror = column[k == 0 ? 0 : h - k];
      Complex* to = scratch.between + k * registers + p;
      to[0] = {(z.re + mirror.re) * 0.5f, (z.im - mirror.im) * 0.5f};
      to[kPartner] = {(z.im + mirror.im) * 0.5f, (mirror.re - z.re) * 0.5f};
    }
  });
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    for (std::ptrdiff_t v = 0; v < registers; ++v) {
      transpose_complex(scratch.between + b * kLanes * registers + v, registers, scratch.block + v * kLanes, 1);
    }
    for (std::ptrdiff_t channel = 0; channel < c; ++channel) {
      const Complex* from = scratch.block + shape.order.place(channel, 0, c);
      const std::ptrdiff_t step = shape.order.channels_last ? c : 1;
      Complex* to = half_plane + (b * c + channel) * w;
      transform(
          shape.rows, scratch.work, [=](std::ptrdiff_t x) { return from[x * step]; },
          [=](std::ptrdiff_t k, Complex z) { to[k] = z; });
    }
  }
}

// Inverse, without the factor 1 / (H W). `load(block, c, kx)` gives the half plane, of which rows above `ky_most` are
// zero; `put(p, column)` takes register p of each row y as column[y].im, and its partner as column[y].re.
template <class Load, class Put>
void from_spectrum(const SpectrumShape& shape, std::ptrdiff_t ky_most, const SpectrumScratch& scratch, Load load,
                   Put put) {
  const std::ptrdiff_t c = shape.size.c, registers = shape.registers(), height = shape.size.h;
  shape.order.zero_padding(scratch.block);
  for (std::ptrdiff_t b = 0; b * kLanes <= ky_most; ++b) {
    for (std::ptrdiff_t channel = 0; channel < c; ++channel) {
      Complex* to = scratch.block + shape.order.place(channel, 0, c);
      const std::ptrdiff_t step = shape.order.channels_last ? c : 1;
      transform(
          shape.rows, scratch.work, [&](std::ptrdiff_t k) { return exchanged(load(b, channel, k)); },
          [=](std::ptrdiff_t x, Complex z) { to[x * step] = exchanged(z); });
    }
    for (std::ptrdiff_t v = 0; v < registers; ++v) {
      transpose_complex(scratch.block + v * kLanes, 1, scratch.between + b * kLanes * registers + v, registers);
    }
  }
  over_pairs(shape, [&](std::ptrdiff_t p) {
    const Complex* pair = scratch.between + p;
    const Complex* column = transform(shape.columns, scratch.work, [=](std::ptrdiff_t k) -> Complex {
      const std::ptrdiff_t ky = 2 * k <= height ? k : height - k;
      if (ky > ky_most) return Complex{};
      const Complex a = pair[ky * registers], b = pair[ky * registers + kPartner];
      if (ky == 0 || 2 * ky == height) return {b.re, a.re};  // its own mirror image: real
      if (ky == k) return {a.im + b.re, a.re - b.im};
      return {b.re - a.im, a.re + b.im};
    });
    put(p, column);
  });
}

}  // namespace visionbias::VISIONBIAS_TARGET
