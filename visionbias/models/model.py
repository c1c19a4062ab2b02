# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engine knows of a model once it is loaded."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from visionbias.errors import CheckpointError
from visionbias.types import Normalization, Preprocessing


@dataclass(frozen=True, slots=True)
class DataConfig:
    """How a model's authors feed it images. The default is the study's: 256, central 224, ImageNet statistics."""

    normalization: Normalization = field(default_factory=Normalization)
    rule: Preprocessing | str = field(default_factory=Preprocessing)  # a str says why no Preprocessing can express it


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """A classifier without its weights."""

    id: str
    num_classes: int  # K
    data_config: DataConfig
    weights_sha256: str | None  # of the loaded state dict; None for a callable
    source: str  # where it comes from, for manifests

    @property
    def normalization(self) -> Normalization:
        """Mean and standard deviation that its input must be normalized with."""
        return self.data_config.normalization

    @property
    def preprocessing(self) -> Preprocessing:
        """The model's own preprocessing.

        Raises:
            CheckpointError: it cannot be expressed as a `Preprocessing`.
        """
        rule = self.data_config.rule
        if isinstance(rule, str):
            raise CheckpointError(
                f"model {self.id!r}: its own data configuration {rule}; pass preprocessing='study' or a Preprocessing"
            )
        return rule


@dataclass(frozen=True, slots=True, eq=False)
class Model(ModelInfo):
    """A classifier on its device, in evaluation mode, with float32 weights."""

    call: Callable[[Tensor], Tensor]  # normalized [N, 3, H, W] float32 -> logits [N, K]
    architecture: str | None = None  # "timm:resnet50": models of one differ in nothing but weights and classes
    channels_last: bool = False  # its weights are in channels_last memory and its input should be
    keeps_input: bool = False  # it is known not to write into its input

    @property
    def info(self) -> ModelInfo:
        """What remains known when the weights are let go."""
        return ModelInfo(self.id, self.num_classes, self.data_config, self.weights_sha256, self.source)
