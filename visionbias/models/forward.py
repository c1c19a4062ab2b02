# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass: a fixed batch of model-ready stimuli in, float32 logits out."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError, ShapeError
from visionbias.models.model import Model


class Forward:
    """A model ready to run on batches of one size.

    The batch is fixed because the last bits of a logit depend on its size (libraries choose their kernels by it), but
    not on the position in it: with a padded last batch a sample's logits are the same bits in any run. The model is not
    changed; for another dtype than it has, a copy of its module is made.

    Args:
        model: from `resolve_model`.
        device: where the stimuli are, and the model is.
        dtype: float32, float16 or bfloat16; of a module's weights and its input. Logits are float32 always, and so is
            what a callable gets.
        batch: N, the number of stimuli in each call.

    Raises:
        CheckpointError: the module cannot be copied.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        batch: int,
    ) -> None:
        self.batch = batch
        self._id, self._classes = model.id, model.num_classes
        self._device = device
        self._dtype = dtype if isinstance(model.call, nn.Module) else torch.float32  # what a callable takes
        self._layout = torch.channels_last if model.channels_last else torch.contiguous_format
        self._call: Callable[[Tensor], Tensor] = model.call
        if isinstance(model.call, nn.Module) and dtype != torch.float32:
            self._call = copied(model.call, model.id).to(dtype)
        self._keeps_input = model.keeps_input

    @torch.inference_mode()
    def __call__(
        self,
        stimulus: Tensor,  # [N, C, H, W] normalized, N = batch
    ) -> Tensor:  # [N, K] float32
        """Logits of one batch. The stimulus is left as it was, even by a model that works in place.

        Raises:
            ShapeError: the stimulus is not [batch, C, H, W].
            CheckpointError: the model fails, or what it returns is not [batch, K] logits.
        """
        if stimulus.dim() != 4 or stimulus.shape[0] != self.batch:
            raise ShapeError(
                f"Forward of {self._id!r}: stimulus must be [{self.batch}, C, H, W], got {tuple(stimulus.shape)}; "
                "pad the last batch"
            )
        x = stimulus.to(device=self._device, dtype=self._dtype).contiguous(memory_format=self._layout)
        if not self._keeps_input and x.data_ptr() == stimulus.data_ptr():
            x = x.clone()  # other models see the same stimulus
        return checked_logits(self._call, x, self._id, self._classes).float()


def checked_logits(
    call: Callable[[Tensor], Tensor],
    x: Tensor,  # [N, C, H, W]
    model_id: str,
    num_classes: int | None = None,  # K where it is known
) -> Tensor:  # [N, K] floating
    """Call a model and make sure that logits come back.

    Raises:
        CheckpointError: it fails, or returns something else.
    """
    try:
        logits = call(x)
    except (Exception, SystemExit) as error:  # a model that ends the process would end the other models' run
        raise CheckpointError(
            f"model {model_id!r} fails on a {list(x.shape)} {x.dtype} batch on {x.device}: "
            f"{type(error).__name__}: {error}; check the image size and device that it takes"
        ) from error
    classes = "K" if num_classes is None else num_classes
    fits = (
        isinstance(logits, Tensor)
        and logits.is_floating_point()
        and logits.dim() == 2
        and logits.shape[0] == x.shape[0]
        and (logits.shape[1] == num_classes if num_classes is not None else logits.shape[1] >= 2)
    )
    if not fits:
        raise CheckpointError(
            f"model {model_id!r}: wanted floating-point logits [{x.shape[0]}, {classes}] with at least 2 classes, "
            f"got {_described(logits)}; wrap it in a function that returns the logits alone"
        )
    return logits


def copied(module: nn.Module, model_id: str) -> nn.Module:
    """A deep copy of a module.

    Raises:
        CheckpointError: it cannot be copied.
    """
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise CheckpointError(
            f"model {model_id!r} would have to be changed and cannot be copied ({type(error).__name__}: {error}); "
            "call .eval(), .float() and .to(device) on it yourself, or pass a function that calls it"
        ) from error


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {list(value.shape)} {value.dtype} tensor"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(str, value))}"
    return f"a {type(value).__name__}"
