# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Error consistency: do two deciders err on the same images, beyond what their accuracies alone would give?

Source: Geirhos, Meding & Wichmann, "Beyond accuracy: quantifying trial-by-trial behaviour", NeurIPS 2020.
"""

from numpy.typing import ArrayLike

from visionbias.errors import ShapeError
from visionbias.metrics.arrays import booleans


def error_consistency(correct_a: ArrayLike, correct_b: ArrayLike) -> float:  # [N] bool, of the same images in order
    """Cohen's kappa of correctness: 1 for equal errors, 0 for those of chance. NaN without images.

    Where both are right in all images, or wrong in all, it is 0 / 0, and 1 by the convention of the published code.

    Raises:
        ShapeError: the arguments are not two sequences of one length, or hold anything but True and False.
    """
    a = booleans("error_consistency", "correct_a", correct_a)
    b = booleans("error_consistency", "correct_b", correct_b)
    if a.ndim != 1 or a.shape != b.shape:
        raise ShapeError(
            f"error_consistency: wanted correct_a and correct_b [N] of the same images, got {a.shape}, {b.shape}"
        )
    if not len(a):
        return float("nan")
    p_a, p_b = float(a.mean()), float(b.mean())
    expected = p_a * p_b + (1 - p_a) * (1 - p_b)
    return (float((a == b).mean()) - expected) / (1 - expected) if expected < 1 else 1.0
