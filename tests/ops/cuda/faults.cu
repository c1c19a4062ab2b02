// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Kernels with one mistake each, and one without.
#include "block/kernel.h"

namespace visionbias {

struct Mistake {
  static constexpr int kThreads = 8, kTogether = 1, kSharedBytes = 64;
  struct Arguments {
    float* memory;
  };
  struct Registers {};
};

struct None : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments& a) {
    const auto shared = block.template shared<float>(0, 8);
    const auto memory = block.workspace(a.memory, 8);
    block.phase([&](int thread, Registers&) { shared.set(thread, static_cast<float>(thread)); });
    block.phase([&](int thread, Registers&) { memory.set(thread, shared.get((thread + 1) % 8)); });
  }
};

struct Race : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments&) {
    const auto shared = block.template shared<float>(0, 8);
    block.phase([&](int thread, Registers&) { shared.set(thread, 1.0f); });
    block.phase([&](int thread, Registers&) { shared.set(thread, shared.get((thread + 1) % 8)); });
  }
};

struct Collision : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments& a) {
    const auto memory = block.workspace(a.memory, 8);
    block.phase([&](int thread, Registers&) { memory.set(thread / 2, 1.0f); });
  }
};

struct Unwritten : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments&) {
    const auto shared = block.template shared<float>(0, 8);
    block.phase([&](int thread, Registers&) { shared.get(thread); });
  }
};

struct Beyond : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments&) {
    const auto shared = block.template shared<float>(0, 8);
    block.phase([&](int thread, Registers&) { shared.set(thread + 1, 0.0f); });
  }
};

struct BeyondBlock : Mistake {
  template <class Block>
  static void body(Block& block, const Arguments&) {
    const auto shared = block.template shared<double>(32, 8);  // half of it lies behind the block's memory
    block.phase([&](int thread, Registers&) { shared.set(thread, 0.0); });
  }
};

}  // namespace visionbias

VISIONBIAS_KERNEL(none, None)
VISIONBIAS_KERNEL(race, Race)
VISIONBIAS_KERNEL(collision, Collision)
VISIONBIAS_KERNEL(unwritten, Unwritten)
VISIONBIAS_KERNEL(beyond, Beyond)
VISIONBIAS_KERNEL(beyond_block, BeyondBlock)
