// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// A block of threads, for which a kernel body is a list of phases.
//
//   template <class Block> static void body(Block& block, const Arguments& a) {
//     block.phase([&](int thread, Registers& own) { ... });  // every thread, then a barrier
//     block.phase(...);
//   }
//
// Within a phase no thread may read what another one writes. `Registers` are what a thread keeps from phase to phase.
// All memory that threads share is reached through `block.shared<T>(offset, n)` and `block.workspace(data, n)`, whose
// `get` and `set` the tests' block on the host checks: bounds, reads before a write, and races.
//
// A kernel is a struct with `Arguments`, `Registers`, `kThreads` in a block, `kTogether` blocks on a multiprocessor
// that the compiler leaves registers for, `kSharedBytes`, and `body`.
#pragma once

#include "common/portable.h"

namespace visionbias {

template <class T>
struct Span {
  T* data;

  VISIONBIAS_HD T get(int i) const { return data[i]; }
  VISIONBIAS_HD void set(int i, T value) const { data[i] = value; }
};

#ifdef __CUDACC__
template <class Own>
class DeviceBlock {
 public:
  using Registers = Own;
  template <class T>
  using Shared = Span<T>;

  __device__ __forceinline__ explicit DeviceBlock(unsigned char* bytes) : bytes_(bytes) {}

  __device__ __forceinline__ int index() const { return static_cast<int>(blockIdx.x); }
  __device__ __forceinline__ int count() const { return static_cast<int>(gridDim.x); }

  template <class T>
  __device__ __forceinline__ Span<T> shared(int offset, int) const {
    return {reinterpret_cast<T*>(bytes_ + offset)};
  }

  template <class T>
  __device__ __forceinline__ Span<T> workspace(T* data, int) const {
    return {data};
  }

  template <class Work>
  __device__ __forceinline__ void phase(Work work) {
    work(static_cast<int>(threadIdx.x), registers_);
    __syncthreads();
  }

 private:
  unsigned char* bytes_;
  Registers registers_;
};

#define VISIONBIAS_KERNEL(name, ...)                                                                           \
  extern "C" __global__ void __launch_bounds__(visionbias::__VA_ARGS__::kThreads,                              \
                                               visionbias::__VA_ARGS__::kTogether)                             \
      name(const __grid_constant__ visionbias::__VA_ARGS__::Arguments arguments) {                             \
    extern __shared__ __align__(16) unsigned char bytes[];                                                     \
    visionbias::DeviceBlock<visionbias::__VA_ARGS__::Registers> block(bytes);                                  \
    visionbias::__VA_ARGS__::body(block, arguments);                                                           \
  }
#endif

}  // namespace visionbias
