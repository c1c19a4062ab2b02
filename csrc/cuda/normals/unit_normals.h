// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Four unit normals of a counter: the bits of csrc/cpu/normals.
#pragma once

#include "common/normals.h"
#include "common/philox.h"

namespace visionbias {

struct Normal4 {
  float z[4];

  VISIONBIAS_HD float at(int i) const { return i < 2 ? (i == 0 ? z[0] : z[1]) : (i == 2 ? z[2] : z[3]); }
};

struct Seed {
  uint32_t low, high;
};

VISIONBIAS_HD Normal4 normals_at(uint32_t counter, uint32_t stream, uint32_t key0, uint32_t key1, Seed seed) {
  const Philox4 random = philox4x32_10(counter, stream, key0, key1, seed.low, seed.high);
  const Normal2 even = box_muller(random.word[0], random.word[1]), odd = box_muller(random.word[2], random.word[3]);
  return {{even.first, even.second, odd.first, odd.second}};
}

}  // namespace visionbias
