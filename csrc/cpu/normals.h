// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace visionbias {

// out[4 i ... 4 i + 3] = the normals of counter (i, stream, key0, key1) under the seed, for i in [0, counters)
void normals(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1, std::ptrdiff_t counters,
             float* out);

}  // namespace visionbias
