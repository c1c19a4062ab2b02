// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// See filter_bank.h for what is computed.
#pragma once

#include "filter_bank/filter_bank.h"
#include "images/finish.h"
#include "images/gather.h"
#include "fft/spectrum.h"

namespace visionbias::VISIONBIAS_TARGET {

template <class T, class Out>
void filter_image(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t image) {
  const SpectrumShape shape{bank.size, RowOrder(bank.size, y.channels_last(bank.size)), bank.columns,
                            bank.rows};
  Scratch memory;
  T* rows = memory.of<T>(shape.size.h * shape.order.row_pitch);
  gather(static_cast<const T*>(x.data) + image * x.strides.n, x.strides, shape.size, shape.order, rows);
  const SpectrumScratch scratch(memory, shape);
  Complex* half_plane = memory.of<Complex>(shape.half_plane());
  to_spectrum(shape, rows, scratch, half_plane);

  const Finish<Out> finish(shape.size, shape.order, bank.scale.data(), bank.shift.data(), unit_of<T>(), y, memory);
  const std::ptrdiff_t c = shape.size.c, w = shape.size.w;
  for (const FilterBank::Mask& mask : bank.masks) {
    const float* weights = mask.weights.data();
    const auto masked = [&](std::ptrdiff_t block, std::ptrdiff_t channel, std::ptrdiff_t kx) -> Complex {
      if (kx > mask.kx_most && kx < w - mask.kx_most) return Complex{};
      const Floats weight = load<Floats>(weights + KyBlocks::place(block * kLanes, kx, w));
      const Complex z = half_plane[(block * c + channel) * w + kx];
      return {z.re * weight, z.im * weight};
    };
    const auto put = [&](std::ptrdiff_t p, const Complex* column) {
      const T *pixels = rows + p * kLanes, *partners = pixels + kMostLanes;
      const std::ptrdiff_t pitch = shape.order.row_pitch;
      for (const FilterBank::Emit& to : mask.emits) {
        if (to.complement) {
          finish.store_pair(to.band, image, p, to.offset, [=](std::ptrdiff_t y) -> Pair {
            return {load_pixels(pixels + y * pitch) - column[y].im, load_pixels(partners + y * pitch) - column[y].re};
          });
        } else {
          finish.store_pair(to.band, image, p, to.offset,
                            [=](std::ptrdiff_t y) -> Pair { return {column[y].im, column[y].re}; });
        }
      }
    };
    from_spectrum(shape, mask.ky_most, scratch, masked, put);
  }
}

template <class T>
void filter_image(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t image) {
  with_output_type(y.pixel, [&](auto out) { filter_image<T, decltype(out)>(bank, x, y, image); });
}

inline void filter_bank(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t image) {
  x.pixel == Pixel::u8 ? filter_image<std::uint8_t>(bank, x, y, image) : filter_image<float>(bank, x, y, image);
}

}  // namespace visionbias::VISIONBIAS_TARGET
