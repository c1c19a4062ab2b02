// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The two-dimensional real transform of an image, and back.
//
// rows [H, order.row_pitch] real <-> half plane [blocks of kLanes ky, C, W], ky in [0, H / 2]
// Columns first, since a row of pixels is a row of registers: two registers of real columns make one complex transform.
// Which two, see RowOrder.
// Then the axes change places, kLanes x kLanes in registers, and the rows are transformed the same way, kLanes
// frequencies side by side. 224x224x3: 10 MF; rows, half plane and the space between are 0.6 to 0.7 MB each.
// A kernel may take the steps one by one, and then has the half plane a block at a time; each step reads what the one
// before left in the scratch memory.
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

  std::ptrdiff_t registers() const { return order.row_pitch / kLanes; }  // in a row
  std::ptrdiff_t frequencies() const { return size.h / 2 + 1; }     // ky
  std::ptrdiff_t blocks() const { return (frequencies() + kLanes - 1) / kLanes; }
  std::ptrdiff_t padded() const { return blocks() * kLanes; }       // ky in whole blocks
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
  Complex* between;  // [registers, blocks * kLanes]: a row, frequencies ky
  Complex* block;    // [order.row_pitch]: numbers of a row, kLanes frequencies ky each
  Complex* work;     // [2, max(H, W)]

  SpectrumScratch(Scratch& memory, const SpectrumShape& shape)
      : between(memory.of<Complex>(shape.registers() * shape.padded())),
        block(memory.of<Complex>(shape.order.row_pitch)),
        work(memory.of<Complex>(2 * std::max(shape.size.h, shape.size.w))) {
    for (std::ptrdiff_t v = 0; v < shape.registers(); ++v) {
      Complex* column = between + v * shape.padded();
      std::fill(column + shape.frequencies(), column + shape.padded(), Complex{});
    }
  }
};

VISIONBIAS_INLINE Complex exchanged(Complex a) { return {a.im, a.re}; }

VISIONBIAS_INLINE void transpose_complex(const Complex* from, Complex* to) {  // [kLanes] registers
  Floats re[kLanes], im[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    re[i] = from[i].re;
    im[i] = from[i].im;
  }
  transpose(re);
  transpose(im);
  for (int i = 0; i < kLanes; ++i) to[i] = {re[i], im[i]};
}

template <class T>  // u8 or float
void transform_columns(const SpectrumShape& shape, const T* rows, const SpectrumScratch& scratch) {
  const std::ptrdiff_t h = shape.size.h, padded = shape.padded(), pitch = shape.order.row_pitch;
  over_pairs(shape, [&](std::ptrdiff_t p) {
    const T* pair = rows + p * kLanes;
    const Complex* column = transform(shape.columns, scratch.work, [=](std::ptrdiff_t y) -> Complex {
      return {load_pixels(pair + y * pitch), load_pixels(pair + y * pitch + kMostLanes)};
    });
    // Z = A + i B with A and B of real columns: A[k] = (Z[k] + conj Z[-k]) / 2, B[k] = (Z[k] - conj Z[-k]) / 2i
    for (std::ptrdiff_t k = 0; k < shape.frequencies(); ++k) {
      const Complex z = column[k], mirror = column[k == 0 ? 0 : h - k];
      Complex* to = scratch.between + p * padded + k;
      to[0] = {(z.re + mirror.re) * 0.5f, (z.im - mirror.im) * 0.5f};
      to[kPartner * padded] = {(z.im + mirror.im) * 0.5f, (mirror.re - z.re) * 0.5f};
    }
  });
}

// Block b of the half plane, [C, W], from transformed columns.
inline void transform_rows(const SpectrumShape& shape, const SpectrumScratch& scratch, std::ptrdiff_t b,
                           Complex* block) {
  const std::ptrdiff_t c = shape.size.c, w = shape.size.w, registers = shape.registers();
  for (std::ptrdiff_t v = 0; v < registers; ++v) {
    transpose_complex(scratch.between + v * shape.padded() + b * kLanes, scratch.block + v * kLanes);
  }
  for (std::ptrdiff_t channel = 0; channel < c; ++channel) {
    const Complex* from = scratch.block + shape.order.index(channel, 0);
    const std::ptrdiff_t step = shape.order.pixel_step;
    Complex* to = block + channel * w;
    transform(
        shape.rows, scratch.work, [=](std::ptrdiff_t x) { return from[x * step]; },
        [=](std::ptrdiff_t k, Complex z) { to[k] = z; });
  }
}

template <class T>
void to_spectrum(const SpectrumShape& shape, const T* rows, const SpectrumScratch& scratch, Complex* half_plane) {
  transform_columns(shape, rows, scratch);
  for (std::ptrdiff_t b = 0; b < shape.blocks(); ++b) {
    transform_rows(shape, scratch, b, half_plane + b * shape.size.c * shape.size.w);
  }
}

// `load(c, kx)` gives block b of the half plane, which becomes rows of pixels between the axes.
template <class Load>
void invert_rows(const SpectrumShape& shape, const SpectrumScratch& scratch, std::ptrdiff_t b, Load load) {
  const std::ptrdiff_t c = shape.size.c, registers = shape.registers();
  shape.order.zero_padding(scratch.block);
  for (std::ptrdiff_t channel = 0; channel < c; ++channel) {
    Complex* to = scratch.block + shape.order.index(channel, 0);
    const std::ptrdiff_t step = shape.order.pixel_step;
    transform(
        shape.rows, scratch.work, [&](std::ptrdiff_t k) { return exchanged(load(channel, k)); },
        [=](std::ptrdiff_t x, Complex z) { to[x * step] = exchanged(z); });
  }
  for (std::ptrdiff_t v = 0; v < registers; ++v) {
    transpose_complex(scratch.block + v * kLanes, scratch.between + v * shape.padded() + b * kLanes);
  }
}

// From inverted rows, of which those above `ky_most` count as zero. `put(p, column)` takes register p of each row y as
// column[y].im, and its partner as column[y].re.
template <class Put>
void invert_columns(const SpectrumShape& shape, std::ptrdiff_t ky_most, const SpectrumScratch& scratch, Put put) {
  const std::ptrdiff_t padded = shape.padded(), height = shape.size.h;
  over_pairs(shape, [&](std::ptrdiff_t p) {
    const Complex* pair = scratch.between + p * padded;
    const Complex* column = transform(shape.columns, scratch.work, [=](std::ptrdiff_t k) -> Complex {
      const std::ptrdiff_t ky = 2 * k <= height ? k : height - k;
      if (ky > ky_most) return Complex{};
      const Complex a = pair[ky], b = pair[kPartner * padded + ky];
      if (ky == 0 || 2 * ky == height) return {b.re, a.re};  // its own mirror image: real
      if (ky == k) return {a.im + b.re, a.re - b.im};
      return {b.re - a.im, a.re + b.im};
    });
    put(p, column);
  });
}

// Inverse, without the factor 1 / (H W). `load(block, c, kx)` gives the half plane, of which rows above `ky_most` are
// zero; `put` as in invert_columns.
template <class Load, class Put>
void from_spectrum(const SpectrumShape& shape, std::ptrdiff_t ky_most, const SpectrumScratch& scratch, Load load,
                   Put put) {
  for (std::ptrdiff_t b = 0; b * kLanes <= ky_most; ++b) {
    invert_rows(shape, scratch, b, [&](std::ptrdiff_t channel, std::ptrdiff_t kx) { return load(b, channel, kx); });
  }
  invert_columns(shape, ky_most, scratch, put);
}

}  // namespace visionbias::VISIONBIAS_TARGET
