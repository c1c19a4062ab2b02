// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "normalize.h"

#include <vector>

#include "epilogue.h"

namespace visionbias {
namespace {

template <class T>
VISIONBIAS_INLINE void row(const std::uint8_t* VISIONBIAS_RESTRICT x, T* VISIONBIAS_RESTRICT y,
                           const float* VISIONBIAS_RESTRICT scale, const float* VISIONBIAS_RESTRICT shift,
                           std::ptrdiff_t size) {
  for (std::ptrdiff_t i = 0; i < size; ++i) y[i] = finish<T>(static_cast<float>(x[i]), scale[i], shift[i]);
}

// Plain functions, one an output type: compilers do not clone templates.
VISIONBIAS_CLONES
void row_f32(const std::uint8_t* x, float* y, const float* scale, const float* shift, std::ptrdiff_t size) {
  row(x, y, scale, shift, size);
}

VISIONBIAS_CLONES
void row_f16(const std::uint8_t* x, Half* y, const float* scale, const float* shift, std::ptrdiff_t size) {
  row(x, y, scale, shift, size);
}

VISIONBIAS_CLONES
void row_bf16(const std::uint8_t* x, BFloat16* y, const float* scale, const float* shift, std::ptrdiff_t size) {
  row(x, y, scale, shift, size);
}

template <class T>
using Row = void (*)(const std::uint8_t*, T*, const float*, const float*, std::ptrdiff_t);

template <class T>
void rows(Row<T> convert, const std::uint8_t* x, Images x_layout, T* y, Images y_layout, std::ptrdiff_t n,
          std::ptrdiff_t h, std::ptrdiff_t size, const float* scale, const float* shift) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j < h; ++j) {
      convert(x + i * x_layout.stride_n + j * x_layout.stride_h, y + i * y_layout.stride_n + j * y_layout.stride_h,
              scale, shift, size);
    }
  }
}

}  // namespace

void normalize(const std::uint8_t* x, Images x_layout, void* y, Images y_layout, Output output, std::ptrdiff_t n,
               std::ptrdiff_t h, std::ptrdiff_t w, std::ptrdiff_t c, const float* scale, const float* shift) {
  // Repeated along a row, so that the inner loop has one stride for everything and needs no modulo.
  const std::ptrdiff_t size = w * c;
  std::vector<float> factors(static_cast<std::size_t>(size));
  std::vector<float> terms(static_cast<std::size_t>(size));
  for (std::ptrdiff_t i = 0; i < size; ++i) {
    factors[static_cast<std::size_t>(i)] = scale[i % c];
    terms[static_cast<std::size_t>(i)] = shift[i % c];
  }
  switch (output) {
    case Output::f32:
      rows<float>(row_f32, x, x_layout, static_cast<float*>(y), y_layout, n, h, size, factors.data(), terms.data());
      break;
    case Output::f16:
      rows<Half>(row_f16, x, x_layout, static_cast<Half*>(y), y_layout, n, h, size, factors.data(), terms.data());
      break;
    case Output::bf16:
      rows<BFloat16>(row_bf16, x, x_layout, static_cast<BFloat16*>(y), y_layout, n, h, size, factors.data(),
                     terms.data());
      break;
  }
}

}  // namespace visionbias
