# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the columns of the demo's table mean, for somebody who has read nothing else."""

from visionbias.demo.study import BENCHMARKS

COLUMNS = {
    "top1": "accuracy on the images as they are",
    "spectral_bias": "0: sees by low frequencies, 1: by high ones",
    "lpp, hpp": "share of its accuracy that is left with low, or with high frequencies alone",
    "low_contrast_accuracy": "accuracy in grey at low contrast",
    "channel_bandwidth, channel_center": "octaves and cycles/image of the noise that disturbs it",
    "peak_noise_sensitivity": "to noise of the octave where it is greatest; 0: none, up to 1: little noise disturbs it",
    "shape_bias": "0: decides by texture, 1: by shape, where they conflict",
    "cue_accuracy": "how often it decides by either of them",
    "..._reliance": "what accuracy is lost without the cue, 0: nothing, 1: all",
    "pgd": "accuracy under attack, when each image was changed a little to deceive it",
    **{
        ", ".join(sets): f"accuracy on sets that it was not trained for ({group}: their mean)"
        for group, sets in BENCHMARKS.items()
    },
}
