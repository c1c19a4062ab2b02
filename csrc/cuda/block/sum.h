// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The sum of one number of each thread of a block, always in the same order.
#pragma once

#include "block/kernel.h"

namespace visionbias {

constexpr int kSumSlots = 64;
constexpr int kSumBytes = kSumSlots * static_cast<int>(sizeof(double));

// Adds up `own.partial` of all threads, whose number kSumSlots divides, and leaves the sum in `own.total` of each.
template <int kThreads, class Registers, class Block>
VISIONBIAS_HD void sum_partials(Block& block, int offset) {
  static_assert(kThreads % kSumSlots == 0, "every slot takes as many threads");
  const auto slots = block.template shared<double>(offset, kSumSlots);
  for (int first = 0; first < kThreads; first += kSumSlots) {
    block.phase([&](int thread, Registers& own) {
      const int slot = thread - first;
      if (slot < 0 || slot >= kSumSlots) return;
      slots.set(slot, (first == 0 ? 0.0 : slots.get(slot)) + static_cast<double>(own.partial));
    });
  }
  for (int half = kSumSlots / 2; half > 0; half /= 2) {
    block.phase([&](int thread, Registers&) {
      if (thread < half) slots.set(thread, slots.get(thread) + slots.get(thread + half));
    });
  }
  block.phase([&](int, Registers& own) { own.total = slots.get(0); });
}

}  // namespace visionbias
