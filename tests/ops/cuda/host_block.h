// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// A block on the host: each phase runs all threads, one after the other, in an order that is chosen, over memory that
// starts as NaN and in which every access is checked. Two threads that meet in one word within a phase, one of them
// writing, are a race, in whatever order they ran.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "block/kernel.h"

namespace visionbias {

class Shadow {  // what is known of the 4-byte words of a piece of memory
 public:
  Shadow(std::string name, std::size_t bytes) : name_(std::move(name)), words_(bytes / 4) {}

  // Whether the access may be made.
  bool read(std::size_t first, std::size_t bytes, int phase, int thread, std::string& fault) {
    return over(first, bytes, fault, [&](Word& word) {
      if (word.write_phase == kNever) return "is read before it is written";
      const bool fresh = word.write_phase == phase && word.writer != thread;
      if (fresh) return "is read in the phase in which another thread writes it";
      const bool others = word.read_phase == phase && word.reader != thread;
      word.reader = others ? kMany : thread;
      word.read_phase = phase;
      return "";
    });
  }

  bool write(std::size_t first, std::size_t bytes, int phase, int thread, std::string& fault) {
    return over(first, bytes, fault, [&](Word& word) {
      if (word.write_phase == phase && word.writer != thread) return "is written by two threads in one phase";
      const bool in_use = word.read_phase == phase && word.reader != thread;
      if (in_use) return "is written in the phase in which another thread reads it";
      word.writer = thread;
      word.write_phase = phase;
      return "";
    });
  }

 private:
  static constexpr int kNever = -1, kMany = -2;

  struct Word {
    int write_phase = kNever, writer = kNever, read_phase = kNever, reader = kNever;
  };

  template <class Check>
  bool over(std::size_t first, std::size_t bytes, std::string& fault, Check check) {
    for (std::size_t i = first / 4; i < (first + bytes) / 4; ++i) {
      const std::string found = i < words_.size() ? check(words_[i]) : "is out of bounds";
      if (!found.empty()) {
        if (fault.empty()) fault = name_ + " word " + std::to_string(i) + " " + found;
        return i < words_.size();
      }
    }
    return true;
  }

  std::string name_;
  std::vector<Word> words_;
};

struct Progress {
  int phase = 0, thread = 0;
  std::string fault;  // the first one
};

template <class T>
class CheckedSpan {
 public:
  CheckedSpan(T* data, std::size_t offset, int n, Shadow& shadow, Progress& now)
      : data_(data), offset_(offset), n_(n), shadow_(&shadow), now_(&now) {}

  T get(int i) const {
    if (!inside(i) || !shadow_->read(place(i), sizeof(T), now_->phase, now_->thread, now_->fault)) return T{};
    return data_[i];
  }

  void set(int i, T value) const {
    if (inside(i) && shadow_->write(place(i), sizeof(T), now_->phase, now_->thread, now_->fault)) data_[i] = value;
  }

 private:
  std::size_t place(int i) const { return offset_ + static_cast<std::size_t>(i) * sizeof(T); }

  bool inside(int i) const {
    if (i >= 0 && i < n_) return true;
    if (now_->fault.empty()) now_->fault = "index " + std::to_string(i) + " of " + std::to_string(n_);
    return false;
  }

  T* data_;
  std::size_t offset_;
  int n_;
  Shadow* shadow_;
  Progress* now_;
};

template <class Kernel>
class HostBlock {
 public:
  using Registers = typename Kernel::Registers;
  template <class T>
  using Shared = CheckedSpan<T>;

  HostBlock(int index, int count, int order, unsigned seed)
      : index_(index), count_(count), order_(order), random_(seed + static_cast<unsigned>(index)),
        bytes_(Kernel::kSharedBytes / 8 + 1), shadow_("shared", Kernel::kSharedBytes) {
    std::memset(bytes_.data(), 0xff, bytes_.size() * 8);  // NaN
    std::memset(static_cast<void*>(registers_.data()), 0xff, sizeof(registers_));
    std::iota(threads_.begin(), threads_.end(), 0);
    if (order_ == 1) std::reverse(threads_.begin(), threads_.end());
  }

  int index() const { return index_; }
  int count() const { return count_; }

  template <class T>
  CheckedSpan<T> shared(int offset, int n) {
    auto* bytes = reinterpret_cast<unsigned char*>(bytes_.data()) + offset;
    return {reinterpret_cast<T*>(bytes), static_cast<std::size_t>(offset), n, shadow_, now_};
  }

  template <class T>
  CheckedSpan<T> workspace(T* data, int n) {
    auto& shadow = workspaces_[data];
    if (!shadow) shadow = std::make_unique<Shadow>("workspace", static_cast<std::size_t>(n) * sizeof(T));
    return {data, 0, n, *shadow, now_};
  }

  template <class Work>
  void phase(Work work) {
    if (order_ == 2) std::shuffle(threads_.begin(), threads_.end(), random_);
    for (const int thread : threads_) {
      now_.thread = thread;
      work(thread, registers_[static_cast<std::size_t>(thread)]);
    }
    ++now_.phase;
  }

  const std::string& fault() const { return now_.fault; }

 private:
  int index_, count_, order_;
  std::mt19937 random_;
  std::vector<std::uint64_t> bytes_;
  Shadow shadow_;
  std::map<const void*, std::unique_ptr<Shadow>> workspaces_;
  std::array<Registers, Kernel::kThreads> registers_;
  std::array<int, Kernel::kThreads> threads_;
  Progress now_;
};

// All blocks, the threads of each forward, reversed or shuffled (0, 1, 2); the first fault, or "".
template <class Kernel>
const char* run_on_host(const void* arguments, std::size_t bytes, int count, int order, unsigned seed) {
  static std::string fault;
  fault.clear();
  if (bytes != sizeof(typename Kernel::Arguments)) return "the arguments are of another size";
  const auto& a = *static_cast<const typename Kernel::Arguments*>(arguments);
  for (int index = 0; index < count && fault.empty(); ++index) {
    auto block = std::make_unique<HostBlock<Kernel>>(index, count, order, seed);
    Kernel::body(*block, a);
    fault = block->fault();
  }
  return fault.c_str();
}

}  // namespace visionbias

#define VISIONBIAS_KERNEL(name, ...)                                                                               \
  extern "C" const char* name(const void* arguments, std::size_t bytes, int count, int order, unsigned seed) {     \
    return visionbias::run_on_host<visionbias::__VA_ARGS__>(arguments, bytes, count, order, seed);                 \
  }
