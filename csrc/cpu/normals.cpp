// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Unit normals: ten rounds and two transforms a counter, 16 counters at a time so that both vectorize.
#include "normals.h"

#include <algorithm>

#include "common/normals.h"
#include "common/philox.h"
#include "simd.h"

namespace visionbias {

namespace {

constexpr std::ptrdiff_t kLanes = 16;

VISIONBIAS_CLONES
void some_normals(std::uint32_t k0, std::uint32_t k1, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1,
                  std::uint32_t first, float* VISIONBIAS_RESTRICT z) {  // [kLanes, 4]
  std::uint32_t words[4][kLanes];
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    const Philox4 random = philox4x32_10(first + lane, stream, key0, key1, k0, k1);
    for (int i = 0; i < 4; ++i) words[i][lane] = random.word[i];
  }
  for (std::ptrdiff_t lane = 0; lane < kLanes; ++lane) {
    const Normal2 even = box_muller(words[0][lane], words[1][lane]), odd = box_muller(words[2][lane], words[3][lane]);
    z[4 * lane + 0] = even.first;
    z[4 * lane + 1] = even.second;
    z[4 * lane + 2] = odd.first;
    z[4 * lane + 3] = odd.second;
  }
}

}  // namespace

void normals(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1, std::ptrdiff_t counters,
             float* out) {
  const auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  float z[4 * kLanes];
  for (std::ptrdiff_t i = 0; i < counters; i += kLanes) {
    some_normals(k0, k1, stream, key0, key1, static_cast<std::uint32_t>(i), z);
    std::copy_n(z, 4 * std::min(kLanes, counters - i), out + 4 * i);
  }
}

}  // namespace visionbias
