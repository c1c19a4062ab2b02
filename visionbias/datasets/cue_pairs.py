# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Cue-conflict images made on the fly: the shape of an image of one set, the texture of an image of another."""

from bisect import bisect_right
from operator import index
from pathlib import Path
from typing import Literal, SupportsIndex, get_args

from visionbias.datasets.base import Dataset
from visionbias.datasets.folder import ImageFolder
from visionbias.datasets.label_map import LabelMap, LabelMapLike, settle_classes
from visionbias.datasets.listing import sorted_names
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample

Method = Literal["phase", "silhouette"]


class CueConflict(Dataset):
    """Each image of `shapes`, mixed with images of other classes from `textures`.

    Labels are the classes of the shapes, `textures` those of the textures. Which images meet is a function of the seed
    and of the shape's id. Sample ids are `<shape id>+<texture id>`.

    Args:
        shapes, textures: labeled sets, or paths of image folders; they may be the same.
        method: "phase", the phase of the shape image with the amplitude of the texture image; or "silhouette", the dark
            part of the shape image filled with the texture, on mid-grey.
        seed: of the pairing.
        per_image: textures for each shape image.
        label_map: as `ImageFolder`; default those of `shapes` and `textures` together.
        name: as `ImageFolder`.

    Raises:
        DataError: an argument is not as above, a shape has no texture of another class, one set is of ready crops and
            the other is not, or their label maps or orders of classes do not agree.
    """

    method: Method

    def __init__(
        self,
        shapes: Dataset | str | Path,
        textures: Dataset | str | Path,
        *,
        method: Method = "phase",
        seed: int = 0,
        per_image: int = 1,
        label_map: LabelMapLike = None,
        name: str | None = None,
    ) -> None:
        for option, source in (("shapes", shapes), ("textures", textures)):
            if not isinstance(source, (Dataset, str, Path)):
                raise DataError(f"CueConflict: {option} must be a data set or the path of a folder, got {source!r:.80}")
        shapes, textures = (s if isinstance(s, Dataset) else ImageFolder(s) for s in (shapes, textures))
        if method not in get_args(Method):
            raise DataError(f"CueConflict: method must be one of {', '.join(get_args(Method))}; got {method!r}")
        for option, value, least in (("seed", seed, 0), ("per_image", per_image, 1)):
            if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not least <= index(value) < 2**64:
                raise DataError(f"CueConflict: {option} must be a whole number in [{least}, 2^64), got {value!r}")
        if shapes.precropped != textures.precropped:
            raise DataError(
                f"CueConflict: {shapes.name} and {textures.name} must both be ready crops (precropped=True) or neither"
            )
        object.__setattr__(self, "method", method)
        pairs = _pairs(shapes, textures, index(seed), index(per_image))
        name = name or f"{shapes.name}-{textures.name}-{method}"
        found = {*shapes.classes, *textures.classes}
        order = None
        if label_map is None:
            label_map = _joined_maps(name, shapes, textures)
        if label_map is None:
            order = _own_order(name, shapes, textures)
        classes, label_map = settle_classes(name, found, order, label_map)
        labels = {category: label for label, category in enumerate(classes)}
        self._assemble(
            name=name,
            root=shapes.root,
            samples=[Sample(id_, shape.path, labels[shapes.classes[shape.label]]) for id_, (shape, _) in pairs.items()],
            classes=classes,
            bad=[*shapes.bad, *(BadSample(f"+{sample.id}", sample.reason) for sample in textures.bad)],
            label_map=label_map,
            precropped=shapes.precropped,
            textures={id_: labels[textures.classes[texture.label]] for id_, (_, texture) in pairs.items()},
            partners={id_: texture for id_, (_, texture) in pairs.items()},
        )


def _joined_maps(name: str, shapes: Dataset, textures: Dataset) -> LabelMap | None:
    """The label maps that the sets have, as one."""
    given = [data.label_map for data in (shapes, textures) if data.label_map is not None]
    members: dict[str, tuple[int, ...]] = {}
    for one in given:
        for category, own in zip(one.classes, one.members, strict=True):
            if members.setdefault(category, own) != own:
                raise DataError(
                    f"{name}: the label maps of its sets differ for {category!r}; give it one by label_map="
                )
    return LabelMap.groups(members) if given else None


def _own_order(name: str, shapes: Dataset, textures: Dataset) -> tuple[str, ...] | None:
    """The order of the classes that a set was given, which is that of the models; None where they are sorted."""
    found = {*shapes.classes, *textures.classes}
    given = {data.classes for data in (shapes, textures) if list(data.classes) != sorted_names(data.classes)}
    if not given:
        return None
    (order, *others) = given
    if others or set(order) != found:
        raise DataError(
            f"{name}: {shapes.name} and {textures.name} must have the same classes in the same order where that is "
            "one of your own; give both the same classes=, or a label_map"
        )
    return order


def _pairs(shapes: Dataset, textures: Dataset, seed: int, per_image: int) -> dict[str, tuple[Sample, Sample]]:
    """Sample id -> shape and texture."""
    from visionbias.ops.philox.reference import words
    from visionbias.ops.philox.streams import sample_keys, stream

    ids = [sample.id for sample in shapes.samples]
    draws = words(seed, stream("cue_conflict"), sample_keys("CueConflict", ids, len(ids)), 0, -(-per_image // 4))
    own: dict[str, list[int]] = {category: [] for category in {*shapes.classes, *textures.classes}}
    for row, sample in enumerate(textures.samples):
        members = own[textures.classes[sample.label]]
        members.append(row - len(members))  # textures of other classes before it
    pairs = {}
    for shape, row in zip(shapes.samples, draws.tolist(), strict=True):
        before = own[shapes.classes[shape.label]]
        candidates = len(textures.samples) - len(before)
        if candidates < per_image:
            raise DataError(
                f"CueConflict: {textures.name} has {candidates} images of other classes than "
                f"{shapes.classes[shape.label]!r}, wanted at least per_image={per_image}"
            )
        taken: set[int] = set()
        for word in row[:per_image]:
            place = (word * candidates) >> 32  # among the textures of other classes
            while place in taken:
                place = (place + 1) % candidates
            taken.add(place)
            texture = textures.samples[place + bisect_right(before, place)]
            pairs[f"{shape.id}+{texture.id}"] = (shape, texture)
    return pairs
