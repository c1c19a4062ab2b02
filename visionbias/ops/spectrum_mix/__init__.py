# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Amplitude of one thing, phase of another: cue conflict, random phase, phase noise, power equalization."""

from visionbias.ops.spectrum_mix.function import (
    cue_conflict,
    mean_amplitude,
    phase_noise,
    phase_swap_both,
    power_equalize,
    random_phase,
)

__all__ = ["cue_conflict", "mean_amplitude", "phase_noise", "phase_swap_both", "power_equalize", "random_phase"]
