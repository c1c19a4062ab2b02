// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// unit_normals: y [N, counters, 4] f32, a thread a counter. 3.2 MB for 16 fields of 224 x 224: 1.1 us at 3.0 TB/s, and
// 55 instructions a normal.
#include "block/kernel.h"
#include "normals/unit_normals.h"

namespace visionbias {

struct UnitNormals {
  static constexpr int kThreads = VISIONBIAS_THREADS, kTogether = 4, kSharedBytes = 0;

  struct Arguments {
    const uint32_t* keys;  // [N, 2]
    float* y;
    uint32_t stream;
    Seed seed;
    int32_t counters, parts;  // blocks a sample
  };

  struct Registers {};

  template <class Block>
  static VISIONBIAS_HD void body(Block& block, const Arguments& a) {
    const int sample = block.index() / a.parts, first = block.index() % a.parts * kThreads;
    block.phase([&](int thread, Registers&) {
      const int counter = first + thread;
      if (counter >= a.counters) return;
      const uint32_t* key = a.keys + 2 * sample;
      const Normal4 normal = normals_at(static_cast<uint32_t>(counter), a.stream, key[0], key[1], a.seed);
      float* to = a.y + (static_cast<long long>(sample) * a.counters + counter) * 4;
      for (int i = 0; i < 4; ++i) to[i] = normal.z[i];
    });
  }
};

}  // namespace visionbias

VISIONBIAS_KERNEL(unit_normals, UnitNormals)
