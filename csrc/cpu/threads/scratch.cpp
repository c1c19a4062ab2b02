// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "threads/scratch.h"

#include <memory>
#include <new>
#include <vector>

namespace visionbias {
namespace {

constexpr std::size_t kKept = std::size_t{32} << 20;  // bytes a thread
constexpr std::align_val_t kAlignment{64};

#if defined(VISIONBIAS_SANITIZED)
constexpr bool kExact = true;  // so that a step beyond the end is seen
#else
constexpr bool kExact = false;
#endif

struct Free {
  void operator()(void* data) const { ::operator delete(data, kAlignment); }
};

struct Block {
  std::size_t bytes = 0;
  std::unique_ptr<void, Free> data;
};

thread_local std::vector<Block> blocks;
thread_local std::size_t used = 0;  // of the blocks

}  // namespace

Scratch::Scratch() : first_(used) {}

void* Scratch::block(std::size_t bytes) {
  if (used == blocks.size()) blocks.emplace_back();
  Block& block = blocks[used++];
  if (bytes > block.bytes || kExact) {
    block = {};  // first, so that the two are never there together
    block.data.reset(::operator new(bytes, kAlignment));
    block.bytes = bytes;
  }
  return block.data.get();
}

Scratch::~Scratch() {
  used = first_;
  if (used > 0) return;
  std::size_t kept = 0;
  for (const Block& block : blocks) kept += block.bytes;
  if (kept > kKept) blocks.clear();
}

}  // namespace visionbias
