# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Dataset`: what every labeled image set amounts to."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionbias.datasets.label_map import LabelMap
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample


@dataclass(frozen=True)
class Dataset:
    """Samples sorted by id, their classes, and how a model's classes become these.

    Raises:
        DataError: an id stands twice or is not UTF-8, there are no samples, or the label map does not fit the classes.
    """

    name: str
    root: Path  # absolute
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    bad: tuple[BadSample, ...] = ()  # found while listing: names and links that cannot be used
    label_map: LabelMap | None = None  # None: found from the classes, see `resolve_label_map`
    precropped: bool = False  # published as crops, hence never resized
    textures: tuple[int, ...] = ()  # [N] or none: class of each sample's texture, in sets of conflicting cues
    partners: tuple[Sample, ...] = ()  # [N] or none: the image that each sample is mixed with
    groups: tuple[str | None, ...] = ()  # [N] or none: what a sample belongs to besides its class, such as a camera
    accepted: tuple[tuple[int, ...], ...] = ()  # [N] or none: classes that a second labeling takes as correct

    def __post_init__(self) -> None:
        if not self.samples:
            raise DataError(f"{self.name}: no images found in {self.root}")
        if self.label_map is not None and self.label_map.classes != tuple(self.classes):
            raise DataError(f"{self.name}: its label map has other classes, or another order, than the data")
        twice = [id_ for id_, count in Counter(sample.id for sample in self.samples).items() if count > 1]
        if twice:
            raise DataError(f"{self.name}: {len(twice)} images are listed twice, such as {twice[0]}; list each once")

        for sample in self.samples:
            try:
                sample.id.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"{self.name}: the id {sample.id!r} is no UTF-8; rename it") from error

    def describe(self) -> dict[str, Any]:
        """Plain values for the manifest of a run; the hash covers every id and label."""
        digest = hashlib.sha256()
        for sample in self.samples:
            digest.update(f"{sample.id}\0{sample.label}\n".encode())
        digest.update(repr((self.textures, [partner.id for partner in self.partners])).encode())
        if self.groups:
            digest.update(repr(self.groups).encode())
        if self.accepted:
            digest.update(repr(self.accepted).encode())
        return {
            "kind": type(self).__name__,
            "name": self.name,
            "root": str(self.root),
            "samples": len(self.samples),
            "classes": len(self.classes),
            "labels_sha256": digest.hexdigest(),
        }

    def _assemble(
        self,
        *,
        name: str,
        root: Path,
        samples: list[Sample],
        classes: Sequence[str],
        bad: list[BadSample],
        label_map: LabelMap | None,
        precropped: bool,
        textures: Mapping[str, int] | None = None,  # by sample id
        partners: Mapping[str, Sample] | None = None,
        groups: Mapping[str, str] | None = None,
        accepted: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        """Set all fields, for subclasses that list a source in their constructor."""
        ids = sorted(sample.id for sample in samples)
        values = {
            "name": name,
            "root": root,
            "samples": tuple(sorted(samples, key=lambda sample: sample.id)),
            "classes": tuple(classes),
            "bad": tuple(sorted(bad, key=lambda sample: sample.id)),
            "label_map": label_map,
            "precropped": precropped,
            "textures": tuple(textures[id_] for id_ in ids) if textures else (),
            "partners": tuple(partners[id_] for id_ in ids) if partners else (),
            "groups": tuple(groups.get(id_) for id_ in ids) if groups else (),
            "accepted": tuple(accepted[id_] for id_ in ids) if accepted else (),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)
        self.__post_init__()
