// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// filter_bank: one forward transform of an image, F masked inverses, clip, normalize, round, store.
// x [N, C, H, W] u8 or f32 -> y [F, N, C, H, W] f32, f16 or bf16
// 22 conditions of 224x224x3 to bf16: 0.15 MB read, 6.6 MB written, 45 MF an image; at 20 GB/s of one core's stores it
// would take 0.3 ms.
#pragma once

#include <cstddef>
#include <vector>

#include "fft/ky_blocks.h"
#include "fft/plan.h"
#include "images/images.h"

namespace visionbias {

// What the bands of a call have in common with those of the next.
class FilterBank {
 public:
  struct Emit {
    std::ptrdiff_t band;
    bool complement;  // the image minus what the mask keeps
    float offset;     // in the [0, 1] scale, before the clip
  };
  struct Mask {
    std::ptrdiff_t ky_most, kx_most;  // largest frequencies that are not zero; -1 where the mask keeps nothing
    std::vector<float> weights;       // KyBlocks up to ky_most, over H W
    std::vector<Emit> emits;
  };

  FilterBank(Size size, std::vector<float> scale, std::vector<float> shift);  // [C] each

  // A real even mask on the half plane kx >= 0, [H, W / 2 + 1]; what it keeps serves every band of `emits`.
  void add_mask(const float* half, std::vector<Emit> emits);

  const Size size;
  const FftPlan columns, rows;
  const std::vector<float> scale, shift;
  std::vector<Mask> masks;
};

void filter_bank(const FilterBank& bank, const Input& x, const Output& y, std::ptrdiff_t n, int threads);

}  // namespace visionbias
