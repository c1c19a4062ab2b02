# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint: a weight file, and the architecture that it is of."""

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import NoneType

from visionbias.errors import CheckpointError
from visionbias.types import Normalization

WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".tar", ".bin", ".ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A weight file and the architecture it belongs to.

    Args:
        path: `.safetensors`, or a PyTorch file (`.pt`, `.pth`, `.tar`, `.bin`, `.ckpt`), which is read with
            `weights_only=True`: it cannot run code.
        arch: a timm name (`"resnet50"`, `"timm:resnet50.a1_in1k"`) or `"torchvision:resnet50"`. A tag chooses the data
            configuration, never weights.
        name: the model's id; by default the file name without its suffix.
        num_classes: by default as many as the classifier's weight has rows.
        normalization: mean and standard deviation of its training; by default those of the architecture's own weights.
        unsafe_sha256: if the sha256 of a PyTorch file is this, read it with `weights_only=False`, which runs the code
            it holds.
        head: a second weight file with the classifier, one weight and one bias, of a backbone that was trained without
            one. What else the backbone's file holds beside the architecture, as projection heads, is left out.

    Raises:
        CheckpointError: an argument is not as above.
    """

    path: Path | str
    arch: str
    name: str | None = None
    num_classes: int | None = None
    normalization: Normalization | None = None
    unsafe_sha256: str | None = None
    head: Path | str | None = None

    def __post_init__(self) -> None:
        for argument, kinds, wanted in (
            ("path", (str, PathLike), "a path"),
            ("head", (str, PathLike, NoneType), "a path"),
            ("name", (str, NoneType), "a name"),
            ("normalization", (Normalization, NoneType), "a visionbias.Normalization"),
            ("unsafe_sha256", (str, NoneType), "text"),
        ):
            value = getattr(self, argument)
            if not isinstance(value, kinds) or value == "":
                raise CheckpointError(f"Checkpoint {self.path!s:.80}: {argument} must be {wanted}, got {value!r:.80}")
        object.__setattr__(self, "path", Path(self.path).absolute())
        if self.head is not None:
            object.__setattr__(self, "head", Path(self.head).absolute())
        if not isinstance(self.arch, str) or not self.arch:
            raise CheckpointError(
                f"Checkpoint {self.path}: arch must be a name, got {self.arch!r}; try arch='resnet50' (timm) "
                "or arch='torchvision:resnet50'"
            )
        if self.num_classes is not None and (not isinstance(self.num_classes, int) or self.num_classes < 2):
            raise CheckpointError(
                f"Checkpoint {self.path}: num_classes must be a whole number of at least 2, got {self.num_classes!r}"
            )
        if self.unsafe_sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", self.unsafe_sha256):
            raise CheckpointError(
                f"Checkpoint {self.path}: unsafe_sha256 must be the 64 hexadecimal digits of the file's sha256, "
                f"got {self.unsafe_sha256!r}"
            )

    @property
    def id(self) -> str:
        """`name`, or the file name without its suffixes of a weight file."""
        if self.name is not None:
            return self.name
        path = Path(self.path)
        while path.suffix.lower() in WEIGHT_SUFFIXES and path.stem:
            path = path.with_suffix("")
        return path.name
