// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "targets/targets.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "simd/target.h"

namespace visionbias {

#if VISIONBIAS_X86
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
#endif
#if VISIONBIAS_VECTORS
namespace baseline {
extern const Kernels kernels;
}
#endif
namespace scalar {
extern const Kernels kernels;
}

namespace {

struct Target {
  const char* name;
  const Kernels* kernels;
  bool runs_here;
};

// The best first.
const std::vector<Target>& all_targets() {
  static const std::vector<Target> all = {
#if VISIONBIAS_X86
      {"avx512", &avx512::kernels,
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl")},
      {"avx2", &avx2::kernels, __builtin_cpu_supports("avx2") != 0},
#endif
#if VISIONBIAS_VECTORS
      {"baseline", &baseline::kernels, true},
#endif
      {"scalar", &scalar::kernels, true},
  };
  return all;
}

std::atomic<const Target*>& chosen() {
  static std::atomic<const Target*> target = &*std::find_if(
      all_targets().begin(), all_targets().end(), [](const Target& target) { return target.runs_here; });
  return target;
}

}  // namespace

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const Target& target : all_targets()) {
    if (target.runs_here) names.emplace_back(target.name);
  }
  return names;
}

std::string chosen_target() { return chosen().load()->name; }

void choose_target(const std::string& name) {
  for (const Target& target : all_targets()) {
    if (target.runs_here && target.name == name) return chosen().store(&target);
  }
  throw std::invalid_argument("this processor does not run " + name);
}

const Kernels& kernels() { return *chosen().load()->kernels; }

}  // namespace visionbias
