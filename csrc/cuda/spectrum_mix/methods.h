// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// What becomes of one frequency. `f` is the spectrum of the image, `g` of the other one; definitions:
// visionbias/ops/spectrum_mix/reference.py
#pragma once

#include "fft/codelets.h"

namespace visionbias {

struct Bin {  // of the half plane
  int ky, kx;
  float given;  // what the caller has for it
  float floor;  // a power up to this has no phase
};

struct Mixed {
  Complex own, other;  // the second for methods that make two images
};

// A method says how many images it reads and makes, and whether it wants a floor and numbers of the caller's.

// Phase of f, amplitude of g; g where f has no phase.
VISIONBIAS_HD Complex with_amplitude(Complex f, Complex g, float floor) {
  const float power = power_of(f);
  return power <= floor ? g : f * square_root(power_of(g) / power);
}

struct PhaseSwap {
  static constexpr int kReads = 2, kMakes = 1;
  static constexpr bool kFloor = true, kGiven = false;

  static VISIONBIAS_HD Mixed mix(Complex f, Complex g, const Bin& bin, float) {
    return {with_amplitude(f, g, bin.floor), g};
  }
};

struct PhaseSwapBoth {
  static constexpr int kReads = 2, kMakes = 2;
  static constexpr bool kFloor = true, kGiven = false;

  static VISIONBIAS_HD Mixed mix(Complex f, Complex g, const Bin& bin, float other_floor) {
    return {with_amplitude(f, g, bin.floor), with_amplitude(g, f, other_floor)};
  }
};

struct RandomPhase {  // g is of white noise
  static constexpr int kReads = 2, kMakes = 1;
  static constexpr bool kFloor = false, kGiven = false;

  static VISIONBIAS_HD Mixed mix(Complex f, Complex g, const Bin& bin, float) {
    const float power = power_of(g), wanted = power_of(f);
    const Complex flat = {square_root(wanted), 0.0f};
    if (bin.ky == 0 && bin.kx == 0) return {f, g};  // the mean
    return {power > 0.0f ? g * square_root(wanted / power) : flat, g};
  }
};

struct PhaseNoise {  // given: half turns in [-1, 1], odd
  static constexpr int kReads = 1, kMakes = 1;
  static constexpr bool kFloor = false, kGiven = true;

  static VISIONBIAS_HD Mixed mix(Complex f, Complex, const Bin& bin, float) { return {f * on_circle(bin.given), f}; }

  static VISIONBIAS_HD Complex on_circle(float half_turns) {
#ifdef __CUDA_ARCH__
    return {cospif(half_turns), sinpif(half_turns)};
#else
    constexpr double kPi = 3.14159265358979323846;
    return {static_cast<float>(std::cos(kPi * half_turns)), static_cast<float>(std::sin(kPi * half_turns))};
#endif
  }
};

struct PowerEqualize {  // given: an amplitude, even
  static constexpr int kReads = 1, kMakes = 1;
  static constexpr bool kFloor = true, kGiven = true;

  static VISIONBIAS_HD Mixed mix(Complex f, Complex, const Bin& bin, float) {
    const float power = power_of(f);
    const Complex flat = {bin.given, 0.0f};
    return {power <= bin.floor ? flat : f * (bin.given / square_root(power)), f};
  }
};

}  // namespace visionbias
