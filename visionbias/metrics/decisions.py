# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Decisions among the 16 entry-level categories from ImageNet's 1000 classes.

Source: Geirhos et al., "Generalisation in humans and deep neural networks", NeurIPS 2018.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.datasets.sixteen import CATEGORIES16 as MEMBERS
from visionbias.errors import DataError, ShapeError
from visionbias.metrics.arrays import floats

CATEGORIES16: tuple[str, ...] = tuple(MEMBERS)  # alphabetical
CLASSES = 1000


def category_probabilities16(logits: ArrayLike) -> NDArray[np.float64]:  # [N, 1000] -> [N, 16]
    """Mean, over the members of each category, of the softmax over all 1000 classes.

    Raises:
        ShapeError: logits are not [N, 1000].
        DataError: some are NaN or infinite; the rows are named.
    """
    values = floats("decide16", "logits", logits)
    if values.ndim != 2 or values.shape[1] != CLASSES:
        raise ShapeError(f"decide16: logits must be [N, {CLASSES}], got {values.shape}; try logits[None] for one image")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError(
            f"decide16: NaN or infinite logits in {len(bad)} of {len(values)} rows, such as {bad[:5].tolist()}; "
            "check the model's weights and precision"
        )
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    return np.stack([probabilities[:, list(members)].mean(axis=1) for members in MEMBERS.values()], axis=1)


def decide16(logits: ArrayLike) -> NDArray[np.int64]:  # [N, 1000] -> [N]
    """The category of the largest mean probability, as an index into `CATEGORIES16`; of equals the first.

    Raises:
        ShapeError, DataError: as `category_probabilities16`.
    """
    decided: NDArray[np.int64] = category_probabilities16(logits).argmax(axis=1)
    return decided
