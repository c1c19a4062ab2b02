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

// [S, F, N, C, H, W] of f32, f16 or bf16; images are stored as C, H, W or as H, W, C, rows without gaps
struct Output {
  void* data;
  Pixel pixel;
  Strides strides;
  std::ptrdiff_t stride_s, stride_f;  // 0 where there is one

  bool channels_last(Size size) const { return strides.c == 1 && (size.w == 1 || strides.w == size.c); }

  // Whether every row [W] or [W, C] of numbers T is made of whole lines of the cache: only then is it worth to write
  // past the caches, if what is written in one go fills lines too.
  template <class T>
  bool fills_lines(Size size) const {
    constexpr std::uintptr_t line = 64;
    const bool last = channels_last(size);
    const std::ptrdiff_t row = last ? size.w * size.c : size.w;
    bool whole = reinterpret_cast<std::uintptr_t>(data) % line == 0;
    for (const std::ptrdiff_t numbers : {stride_s, stride_f, strides.n, strides.h, last ? row : strides.c, row}) {
      whole = whole && static_cast<std::uintptr_t>(numbers) * sizeof(T) % line == 0;
    }
    return whole;
  }
};

}  // namespace visionbias
