// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "spectrum_mix/spectrum_mix.h"

#include <utility>

#include "targets/targets.h"
#include "threads/threads.h"

namespace visionbias {

SpectrumMix::SpectrumMix(Size size, std::vector<float> scale, std::vector<float> shift, float floor)
    : size(size), columns(size.h), rows(size.w), scale(std::move(scale)), shift(std::move(shift)), floor(floor) {}

void phase_swap(const SpectrumMix& mix, const Input& shape, const Input& texture, const Output& y,
                std::ptrdiff_t directions, std::ptrdiff_t n, int threads) {
  const auto run = kernels().spectrum_mix.phase_swap;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(mix, shape, texture, y, directions, i); });
}

void random_phase(const SpectrumMix& mix, const Input& x, const Input& noise, const Output& y, std::ptrdiff_t n,
                  int threads) {
  const auto run = kernels().spectrum_mix.random_phase;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(mix, x, noise, y, i); });
}

void phase_noise(const SpectrumMix& mix, const Input& x, const float* half_turns, const Output& y, std::ptrdiff_t n,
                 int threads) {
  const auto run = kernels().spectrum_mix.phase_noise;
  over_images(n, threads, [&](std::ptrdiff_t i) { run(mix, x, half_turns, y, i); });
}

void power_equalize(const SpectrumMix& mix, const Input& x, const float* amplitude, std::ptrdiff_t planes,
                    const Output& y, std::ptrdiff_t n, int threads) {
  const auto run = kernels().spectrum_mix.power_equalize;
  const std::ptrdiff_t half = mix.size.h * (mix.size.w / 2 + 1), size = KyBlocks::size(mix.size.h / 2 + 1, mix.size.w);
  std::vector<float> blocks(static_cast<std::size_t>(planes * size));
  for (std::ptrdiff_t p = 0; p < planes; ++p) {
    to_ky_blocks(amplitude + p * half, 1.0f, mix.size, blocks.data() + p * size);
  }
  over_images(n, threads, [&](std::ptrdiff_t i) { run(mix, x, blocks.data(), planes, y, i); });
}

}  // namespace visionbias
