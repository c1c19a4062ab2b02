// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace visionbias {

// Lanes of the widest target. Memory is laid out and sums are taken in groups of this many numbers on every target, so
// that all give the same bits; the lanes of each divide it.
constexpr std::ptrdiff_t kMostLanes = 16;

}  // namespace visionbias
