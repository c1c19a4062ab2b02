// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Unit normals: ten rounds and two transforms a counter, in loops that the compiler gives this target's registers.
#pragma once

#include "common/normals.h"
#include "common/philox.h"
#include "simd/most_lanes.h"
#include "simd/target.h"

namespace visionbias::VISIONBIAS_TARGET {

// out[4 i ... 4 i + 3] = the normals of counter (i, stream, key0, key1) under the seed, for i in [0, counters)
inline void normals(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1,
                    std::ptrdiff_t counters, float* VISIONBIAS_RESTRICT out) {
  const auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (std::ptrdiff_t i = 0; i < counters; i += kMostLanes) {
    std::uint32_t words[4][kMostLanes];
    for (std::ptrdiff_t lane = 0; lane < kMostLanes; ++lane) {
      const Philox4 random = philox4x32_10(static_cast<std::uint32_t>(i + lane), stream, key0, key1, k0, k1);
      for (int j = 0; j < 4; ++j) words[j][lane] = random.word[j];
    }
    float z[4 * kMostLanes];
    for (std::ptrdiff_t lane = 0; lane < kMostLanes; ++lane) {
      const Normal2 even = box_muller(words[0][lane], words[1][lane]);
      const Normal2 odd = box_muller(words[2][lane], words[3][lane]);
      z[4 * lane + 0] = even.first;
      z[4 * lane + 1] = even.second;
      z[4 * lane + 2] = odd.first;
      z[4 * lane + 3] = odd.second;
    }
    std::copy_n(z, 4 * std::min(kMostLanes, counters - i), out + 4 * i);
  }
}

}  // namespace visionbias::VISIONBIAS_TARGET
