// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "targets/targets.h"

#include <atomic>
#include <stdexcept>

#include "simd/target.h"

namespace visionbias {

#if VISIONBIAS_X86
extern const Target target_avx512, target_avx2;
#endif
#if VISIONBIAS_VECTORS
extern const Target target_baseline;
#endif
extern const Target target_scalar;

namespace {

std::atomic<const Target*> chosen{nullptr};

}  // namespace

std::vector<const Target*> targets() {
  std::vector<const Target*> found;
  for (const Target* target : {
#if VISIONBIAS_X86
           &target_avx512, &target_avx2,
#endif
#if VISIONBIAS_VECTORS
           &target_baseline,
#endif
           &target_scalar}) {
    if (target->runs_here()) found.push_back(target);
  }
  return found;
}

const Target& target() {
  const Target* found = chosen.load();
  if (found == nullptr) {
    found = targets().front();
    chosen.store(found);
  }
  return *found;
}

void choose_target(const std::string& name) {
  for (const Target* target : targets()) {
    if (target->name == name) return chosen.store(target);
  }
  throw std::invalid_argument("this processor does not run " + name);
}

}  // namespace visionbias
