# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How the classes of a model become the classes of a data set."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from operator import index

import numpy as np

from visionbias.datasets.listing import sorted_names
from visionbias.datasets.sixteen import CATEGORIES16
from visionbias.errors import DataError

IMAGENET_CLASSES = 1000
_LISTED = 8  # classes in an error
_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class LabelMap:
    """For each class of the data, the model's class or classes that mean it.

    With one model class each (all or a subset of them), the model decides among those. With several, the probability of
    a data class is the mean over its members.

    Raises:
        DataError: a class has no member, a model class belongs to two, or there is one class only, which every answer
            would be.
    """

    classes: tuple[str, ...]  # the data's classes
    members: tuple[tuple[int, ...], ...]  # for each, indices of the model's classes

    def __post_init__(self) -> None:
        if len(self.members) != len(self.classes) or len(set(self.classes)) != len(self.classes):
            raise DataError(
                f"label map: wanted distinct classes, with members for each, got {self.classes!r:.80} and "
                f"{self.members!r:.80}"
            )
        # Plain values, as a run folder holds them; those of NumPy are written otherwise.
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        object.__setattr__(self, "members", tuple(tuple(map(index, members)) for members in self.members))
        if len(self.classes) < 2:
            raise DataError(
                f"wanted two classes or more to decide among, got {_listed(self.classes) or 'none'}; name all that a "
                "model may answer, with images or without, by classes=['cat', 'dog', ...] or in the label map"
            )
        unmapped = [name for name, members in zip(self.classes, self.members, strict=True) if not members]
        if unmapped:
            raise DataError(
                f"label map: {len(unmapped)} classes have no model class: {_listed(unmapped)}; map or remove them"
            )
        owners = Counter(index for members in self.members for index in members)
        shared = [str(index) for index, count in owners.items() if count > 1]
        if shared:
            raise DataError(
                f"label map: model classes {_listed(shared)} are given more than once; give each to one class"
            )

    @classmethod
    def identity(cls, classes: Sequence[str]) -> "LabelMap":
        """Class i of the data is class i of the model."""
        return cls(tuple(classes), tuple((index,) for index in range(len(classes))))

    @classmethod
    def groups(cls, groups: Mapping[str, int | Sequence[int]]) -> "LabelMap":
        """From names to one index or several.

        Raises:
            DataError: it does not map names to these, or see `LabelMap`.
        """
        if not isinstance(groups, Mapping) or not all(isinstance(name, str) for name in groups):
            raise DataError(
                f"label map: wanted class names with indices, got {groups!r:.80}; try {{'cat': [281, 282], 'dog': 207}}"
            )
        return cls(tuple(groups), tuple(_indices(name, members) for name, members in groups.items()))

    @property
    def kind(self) -> str:
        """`identity`, `one-to-one` or `many-to-one`."""
        if self.members == tuple((index,) for index in range(len(self.classes))):
            return "identity"
        return "one-to-one" if all(len(members) == 1 for members in self.members) else "many-to-one"

    def check(self, num_classes: int) -> None:
        """Refuse members that a model with `num_classes` classes does not have.

        Raises:
            DataError: some are out of range; the classes that name them are listed.
        """
        outside = [
            f"{name} -> {index}"
            for name, members in zip(self.classes, self.members, strict=True)
            for index in members
            if not 0 <= index < num_classes
        ]
        if outside:
            raise DataError(
                f"label map: the model has classes 0 to {num_classes - 1}, but the map says {_listed(outside)}"
            )


LabelMapLike = LabelMap | Mapping[str, int | Sequence[int]] | None


def settle_classes(
    name: str,  # of the data set
    found: Iterable[str],  # classes that have images
    classes: Sequence[str] | None,
    label_map: LabelMapLike,
) -> tuple[list[str], LabelMap | None]:
    """What a model decides among, and a given map to it: `classes` in their order, by default the classes that have
    images and those that the map names, sorted.

    Raises:
        DataError: `classes` is no list of distinct names or lacks one that has images, or the map is none, or maps
            other classes.
    """
    names = set(found)
    try:
        given = _given(label_map)
        if classes is not None:
            settled = wanted = _named(classes, names)
        else:
            wanted = sorted_names(names)
            settled = sorted_names({*names, *(() if given is None else given.classes)})
        if given is None:
            return settled, None
        strangers = [entry for entry in given.classes if entry not in wanted]
        unmapped = [category for category in wanted if category not in given.classes]
        if unmapped or (strangers and classes is not None):
            raise DataError(
                f"label map: classes of the data without an entry: {_listed(unmapped) or 'none'}; "
                f"entries without a class: {_listed(strangers) or 'none'}; the data's classes are {_listed(wanted)}"
            )
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    members = dict(zip(given.classes, given.members, strict=True))
    return settled, LabelMap(tuple(settled), tuple(members[category] for category in settled))


def _given(label_map: LabelMapLike) -> LabelMap | None:
    return label_map if label_map is None or isinstance(label_map, LabelMap) else LabelMap.groups(label_map)


def _named(classes: Sequence[str], found: set[str]) -> list[str]:
    """The classes that were named, which must be all that have images."""
    try:
        names = [] if isinstance(classes, (str, Set, Mapping)) else list(classes)  # the order of a set is chance
    except TypeError:
        names = []
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise DataError(f"classes must be a list of distinct names, got {classes!r:.80}")
    names = [str(name) for name in names]  # those of NumPy are written otherwise
    if absent := sorted(found - set(names)):
        raise DataError(f"classes must name all that have images, but lacks {_listed(absent)}")
    return names


def resolve_label_map(classes: Sequence[str], label_map: LabelMap | None, num_classes: int) -> LabelMap:
    """The map from a model with `num_classes` classes to the data's classes.

    Without a given map, in this order: for a model with ImageNet's 1000 classes, the data's classes are WordNet ids,
    all or some of them, or are among the 16 categories; for any model, the data has as many classes as the model.

    Raises:
        DataError: the given map does not fit the model, or none of the rules applies.
    """
    if label_map is not None:
        label_map.check(num_classes)
        return label_map
    if num_classes == IMAGENET_CLASSES:
        index = {wnid: i for i, wnid in enumerate(imagenet_wnids())}
        if all(name in index for name in classes):
            return LabelMap(tuple(classes), tuple((index[name],) for name in classes))
        if all(name in CATEGORIES16 for name in classes):
            return LabelMap(tuple(classes), tuple(CATEGORIES16[name] for name in classes))
    if num_classes == len(classes):
        return LabelMap.identity(classes)
    raise DataError(
        f"the model has {num_classes} classes and the data {len(classes)} ({_listed(classes)}), which are neither as "
        f"many nor ImageNet's WordNet ids nor the 16 categories{_strangers(classes)}; "
        "say which model classes mean which of yours with label_map={'cat': [281, 282], ...}"
    )


def categories16_of(classes: Sequence[str]) -> tuple[int | None, ...]:
    """For each class, a category's name or a WordNet id, its index among the 16 categories; `None` for all others."""
    category: dict[str, int | None] = {name: index for index, name in enumerate(CATEGORIES16)}
    if any(_WNID.fullmatch(name) for name in classes):
        owner = {member: index for index, members in enumerate(CATEGORIES16.values()) for member in members}
        category |= {wnid: owner.get(i) for i, wnid in enumerate(imagenet_wnids())}
    return tuple(category.get(name) for name in classes)


def _strangers(classes: Sequence[str]) -> str:
    """In classes of which some are known by WordNet id or as categories, the others."""
    known = {*CATEGORIES16, *imagenet_wnids()}
    unknown = [name for name in classes if name not in known]
    return f" (these are not: {_listed(unknown)})" if 0 < len(unknown) < len(classes) else ""


def _indices(name: str, members: int | Sequence[int]) -> tuple[int, ...]:
    try:
        several = tuple(members) if np.ndim(members) else (members,)  # type: ignore[arg-type]
        if not any(isinstance(member, bool) for member in several):
            return tuple(map(index, several))  # type: ignore[arg-type]  # NumPy's whole numbers too, as Python's
    except (TypeError, ValueError):  # the latter of lists of lists
        pass
    raise DataError(f"label map: {name!r} must be a class index or a list of them, got {members!r:.80}")


@cache
def imagenet_wnids() -> tuple[str, ...]:
    """ImageNet's 1000 WordNet ids in class order, which is their sorted order."""
    from timm.data.imagenet_info import ImageNetInfo

    return tuple(ImageNetInfo("imagenet-1k").label_names())  # type: ignore[no-untyped-call]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" ... ({len(names)} in all)" if len(names) > _LISTED else "")
