// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// spectrum_mix: the amplitude of one thing with the phase of another, clipped, normalized, rounded, stored.
// x [N, C, H, W] u8 or f32 -> y [F, N, C, H, W] f32, f16 or bf16; definitions: visionbias/ops/spectrum_mix/reference.py
// Phase swap of a pair of 224x224x3 to bf16: 0.3 MB read, 0.3 MB written, 30 MF; at 20 GB/s of one core it would take
// 0.03 ms, so the arithmetic bounds it.
#pragma once

#include <cstddef>
#include <vector>

#include "fft/ky_blocks.h"
#include "fft/plan.h"
#include "images/images.h"

namespace visionbias {

// What the calls for one kind of image and output have in common.
struct SpectrumMix {
  // Scale and shift [C]; a bin of at most `floor` times the norm of its image has no phase.
  SpectrumMix(Size size, std::vector<float> scale, std::vector<float> shift, float floor);

  const Size size;
  const FftPlan columns, rows;
  const std::vector<float> scale, shift;
  const float floor;
};

// Phase of `shape`, amplitude of `texture`; with two directions y[1] is the other way round.
void phase_swap(const SpectrumMix& mix, const Input& shape, const Input& texture, const Output& y,
                std::ptrdiff_t directions, std::ptrdiff_t n, int threads);

// Amplitude of x, phase of f32 noise [N, C, H, W], and the mean of x.
void random_phase(const SpectrumMix& mix, const Input& x, const Input& noise, const Output& y, std::ptrdiff_t n,
                  int threads);

// x with its phase turned by an odd function, in half turns of [-1, 1]: [N, H, W / 2 + 1].
void phase_noise(const SpectrumMix& mix, const Input& x, const float* half_turns, const Output& y, std::ptrdiff_t n,
                 int threads);

// Phase of x, and an even amplitude, of pixels in [0, 1]: [planes, H, W / 2 + 1], one plane for all channels or one for
// each.
void power_equalize(const SpectrumMix& mix, const Input& x, const float* amplitude, std::ptrdiff_t planes,
                    const Output& y, std::ptrdiff_t n, int threads);

// One image of each, for one instruction set.
struct SpectrumMixKernels {
  void (*phase_swap)(const SpectrumMix& mix, const Input& shape, const Input& texture, const Output& y,
                     std::ptrdiff_t directions, std::ptrdiff_t image);
  void (*random_phase)(const SpectrumMix& mix, const Input& x, const Input& noise, const Output& y,
                       std::ptrdiff_t image);
  void (*phase_noise)(const SpectrumMix& mix, const Input& x, const float* half_turns, const Output& y,
                      std::ptrdiff_t image);
  // The amplitude as KyBlocks.
  void (*power_equalize)(const SpectrumMix& mix, const Input& x, const float* amplitude, std::ptrdiff_t planes,
                         const Output& y, std::ptrdiff_t image);
};

}  // namespace visionbias
