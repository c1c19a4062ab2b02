# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the columns of the demo's table mean, for somebody who has read nothing else."""

from visionbias.demo.study import BENCHMARKS

COLUMNS = {
    "top1": "accuracy on the images as they are",
    "spectral_bias": "0: sees low frequencies alone, 1: high ones (lpp, hpp: what accuracy is left of either)",
    "low_contrast_accuracy": "accuracy in grey at low contrast",
    "peak_noise_sensitivity": "how little noise disturbs it where it disturbs most, up to 1",
    "shape_bias": "0: decides by texture, 1: by shape, where they conflict (cue_accuracy: how often by either)",
    "..._reliance": "what accuracy is lost without the cue, 0: nothing, 1: all",
    "pgd": "accuracy under attack: each image changed by up to 2/255 a pixel to deceive it",
    **{
        ", ".join(sets): f"accuracy on sets that it was not trained for; {group}: their mean"
        for group, sets in BENCHMARKS.items()
    },
}
