// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Images in memory, as the bindings hand them to a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace visionbias {

struct Half {
  std::uint16_t bits;  // IEEE binary16
};
struct BFloat16 {
  std::uint16_t bits;
};

enum class Pixel { u8, f32, f16, bf16 };

// What white is in numbers of a type.
template <class T>
constexpr float unit_of() {
  return std::is_same_v<T, std::uint8_t> ? 255.0f : 1.0f;
}

inline float unit_of(Pixel pixel) { return pixel == Pixel::u8 ? unit_of<std::uint8_t>() : 1.0f; }

inline std::ptrdiff_t bytes_of(Pixel pixel) { return pixel == Pixel::u8 ? 1 : pixel == Pixel::f32 ? 4 : 2; }

struct Size {
  std::ptrdiff_t c, h, w;
};

struct Strides {  // in elements
  std::ptrdiff_t n, c, h, w;
};

struct Input {  // [N, C, H, W] of u8 or f32
  const void* data;
  Pixel pixel;
  Strides strides;
};

struct Output {  // [S, F, N, C, H, W] of f32, f16 or bf16; images are stored as C, H, W or as H, W, C, rows without gaps
  void* data;
  Pixel pixel;
  Strides strides;
  std::ptrdiff_t stride_s, stride_f;  // 0 where there is one

  bool channels_last(Size size) const { return strides.c == 1 && (size.w == 1 || strides.w == size.c); }
};

}  // namespace visionbias
