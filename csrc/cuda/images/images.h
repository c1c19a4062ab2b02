// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Images in a GPU's memory, as visionbias/ops/cuda.py describes them. Offsets and strides are in elements.
#pragma once

#include "common/portable.h"

namespace visionbias {

enum PixelType : int32_t { kU8, kF32, kF16, kBF16 };

struct Images {  // [N, C, H, W] of u8 or f32
  const void* data;
  long long n, c, h, w;
  int32_t type, padding;

  VISIONBIAS_HD float pixel(long long offset) const {
    return type == kU8 ? static_cast<float>(static_cast<const unsigned char*>(data)[offset])
                       : static_cast<const float*>(data)[offset];
  }

  // What white is.
  VISIONBIAS_HD float unit() const { return type == kU8 ? 255.0f : 1.0f; }
};

struct Stimuli {  // [S, F, N, C, H, W] of f32, f16 or bf16
  void* data;
  long long s, f, n, c, h, w;
  int32_t type, padding;
};

// To nearest, ties to even; what float16 cannot hold becomes infinite. Numbers here are finite.
#ifdef __CUDA_ARCH__
VISIONBIAS_HD uint32_t half_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
VISIONBIAS_HD uint32_t bfloat16_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#else
VISIONBIAS_HD uint32_t half_bits(float value) {
  const auto bits = static_cast<uint32_t>(bits_of(value));
  const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x477ff000u) {  // 65520, halfway between the largest number and the next one
    return sign | 0x7c00u;
  }
  if (magnitude < 0x38800000u) {  // subnormal: adding 1/2 aligns the last bits, so the adder does the rounding
    return sign | static_cast<uint32_t>(bits_of(float_of(static_cast<int32_t>(magnitude)) + 0.5f) - 0x3f000000);
  }
  return sign | ((magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13);
}
VISIONBIAS_HD uint32_t bfloat16_bits(float value) {
  const auto bits = static_cast<uint32_t>(bits_of(value));
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}
#endif

VISIONBIAS_HD uint32_t rounded_bits(int32_t type, float value) {
  return type == kF16 ? half_bits(value) : bfloat16_bits(value);
}

VISIONBIAS_HD void store(const Stimuli& y, long long offset, float value) {
  if (y.type == kF32) {
    static_cast<float*>(y.data)[offset] = value;
  } else {
    static_cast<unsigned short*>(y.data)[offset] = static_cast<unsigned short>(rounded_bits(y.type, value));
  }
}

struct alignas(16) Line {  // what a thread stores at once
  uint32_t words[4];
};

// kCount numbers side by side from a multiple of 16 bytes on; `value(i)` gives number i.
template <int kCount, class Value>
VISIONBIAS_HD void store_run(const Stimuli& y, long long offset, Value value) {
  static_assert(kCount % 8 == 0, "whole lines of either size");
  if (y.type == kF32) {
    auto* to = reinterpret_cast<Line*>(static_cast<float*>(y.data) + offset);
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i) {
      Line line;
      for (int j = 0; j < 4; ++j) line.words[j] = static_cast<uint32_t>(bits_of(value(4 * i + j)));
      to[i] = line;
    }
  } else {
    auto* to = reinterpret_cast<Line*>(static_cast<unsigned short*>(y.data) + offset);
#pragma unroll
    for (int i = 0; i < kCount / 8; ++i) {
      Line line;
      for (int j = 0; j < 4; ++j) {
        const int low = 8 * i + 2 * j;
        line.words[j] = rounded_bits(y.type, value(low)) | rounded_bits(y.type, value(low + 1)) << 16;
      }
      to[i] = line;
    }
  }
}

}  // namespace visionbias
