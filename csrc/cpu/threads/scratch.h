// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Memory that a kernel works in while it is at one image.
#pragma once

#include <cstddef>

namespace visionbias {

// What it hands out, the thread keeps for its next image: the i-th request there gets the block of the i-th here, so
// images alike allocate once. Where the blocks exceed 32 MiB, none is kept.
class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  // [count], uninitialized, at a multiple of 64 bytes; valid as long as the Scratch.
  template <class T>
  T* of(std::ptrdiff_t count) {
    return static_cast<T*>(block(static_cast<std::size_t>(count) * sizeof(T)));
  }

 private:
  void* block(std::size_t bytes);

  const std::size_t first_;  // of the thread's blocks: one Scratch inside another takes those behind
};

}  // namespace visionbias
