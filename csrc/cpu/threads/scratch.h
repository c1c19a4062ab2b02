// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Memory that a kernel works in, kept by each thread from image to image.
#pragma once

#include <cstddef>
#include <new>

namespace visionbias {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { release(); }

  // [count], uninitialized, at a multiple of 64 bytes; valid until the next call.
  template <class T>
  T* of(std::ptrdiff_t count) {
    const std::size_t wanted = static_cast<std::size_t>(count) * sizeof(T);
    if (wanted > size_ || kExact) {
      release();
      data_ = ::operator new(wanted, kAlignment);
      size_ = wanted;
    }
    return static_cast<T*>(data_);
  }

 private:
#if defined(VISIONBIAS_SANITIZED)
  static constexpr bool kExact = true;  // so that a step beyond the end is seen
#else
  static constexpr bool kExact = false;
#endif
  static constexpr std::align_val_t kAlignment{64};

  void release() {
    if (data_ != nullptr) ::operator delete(data_, kAlignment);
    data_ = nullptr;
    size_ = 0;
  }

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace visionbias
