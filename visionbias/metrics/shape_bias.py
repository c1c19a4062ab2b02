# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Shape bias: the cue that wins where shape and texture disagree.

Source: Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visionbias.errors import DataError, ShapeError
from visionbias.metrics.intervals import Interval, wilson


@dataclass(frozen=True)
class CategoryShapeBias:
    """The decisions on images whose shape is of one category."""

    shape_bias: float
    n: int
    n_shape: int
    n_texture: int


@dataclass(frozen=True)
class ShapeBiasResult:
    """Shape decisions over shape and texture decisions, with all that it takes to judge the ratio."""

    shape_bias: float  # n_shape / (n_shape + n_texture); NaN without either
    n: int  # images whose cues disagree
    n_shape: int
    n_texture: int
    cue_accuracy: float  # (n_shape + n_texture) / n
    interval: Interval  # of shape_bias, Wilson over shape and texture decisions
    per_category: dict[str, CategoryShapeBias]  # by shape category, sorted


def shape_bias(
    shape_category: Sequence[Any] | NDArray[Any],  # [N] names or indices
    texture_category: Sequence[Any] | NDArray[Any],  # [N]
    decision: Sequence[Any] | NDArray[Any],  # [N], named as the categories are; None or NaN: no decision
    *,
    confidence: float = 0.95,
) -> ShapeBiasResult:
    """Shape bias of decisions on cue-conflict images. Images whose cues agree are left out.

    A decision for another category, or for something that is none, such as "na", follows neither cue.

    Raises:
        ShapeError: the arguments are not three sequences of one length.
        DataError: a cue is missing, in no image do the cues disagree, or categories are names and decisions indices, or
            the other way round.
    """
    import pandas as pd

    columns = [np.asarray(values, dtype=object) for values in (shape_category, texture_category, decision)]
    if any(column.ndim != 1 for column in columns) or len({len(column) for column in columns}) > 1:
        raise ShapeError(
            "shape_bias: wanted shape_category, texture_category and decision [N], "
            f"got {', '.join(str(column.shape) for column in columns)}"
        )
    missing = np.flatnonzero(pd.isna(columns[0]) | pd.isna(columns[1]))
    if len(missing):
        raise DataError(
            f"shape_bias: shape or texture is missing in {len(missing)} of {len(columns[0])} images, such as "
            f"{missing[:5].tolist()}; leave them out"
        )
    conflict = ~_equal(columns[0], columns[1])
    shape, texture, decided = (column[conflict] for column in columns)
    decided[pd.isna(decided)] = None
    if not len(shape):
        raise DataError(f"shape_bias: shape and texture agree in all {len(conflict)} images; wanted some of conflict")
    named, decided_by_name = (
        {isinstance(value, str) for value in values if value is not None} for values in ((*shape, *texture), decided)
    )
    if decided_by_name and not named & decided_by_name:
        raise DataError(
            "shape_bias: wanted categories and decisions all as names or all as indices, got categories such as "
            f"{shape[0]!r} and decisions such as {next(d for d in decided if d is not None)!r}; try CATEGORIES16[i]"
        )
    by_shape, by_texture = _equal(decided, shape), _equal(decided, texture)
    n_shape, n_texture, n = int(by_shape.sum()), int(by_texture.sum()), len(shape)
    return ShapeBiasResult(
        shape_bias=_share(n_shape, n_texture),
        n=n,
        n_shape=n_shape,
        n_texture=n_texture,
        cue_accuracy=(n_shape + n_texture) / n,
        interval=wilson(n_shape, n_shape + n_texture, confidence),
        per_category={
            str(name): _of_category(shape == name, by_shape, by_texture) for name in sorted(set(shape), key=str)
        },
    )


def _of_category(rows: ArrayLike, by_shape: NDArray[np.bool_], by_texture: NDArray[np.bool_]) -> CategoryShapeBias:
    own = np.asarray(rows, dtype=bool)
    n_shape, n_texture = int(by_shape[own].sum()), int(by_texture[own].sum())
    return CategoryShapeBias(_share(n_shape, n_texture), int(own.sum()), n_shape, n_texture)


def _equal(a: NDArray[np.object_], b: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.asarray(a == b, dtype=bool)


def _share(n_shape: int, n_texture: int) -> float:
    return n_shape / (n_shape + n_texture) if n_shape + n_texture else float("nan")
