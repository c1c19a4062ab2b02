# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass: a fixed batch of model-ready stimuli in, float32 logits out."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError, ShapeError
from visionbias.models.compiler import Compiler
from visionbias.models.fast import prefers_channels_last, to_channels_last
from visionbias.models.folding import folded
from visionbias.models.model import Model
from visionbias.ops.tensors import FLOAT_DTYPES


class Forward:
    """A model ready to run on batches of one size.

    The batch is fixed because the last bits of a logit depend on its size (libraries choose their kernels by it), but
    not on the position in it: with a padded last batch a sample's logits are the same bits in any run. In float32,
    not compiled, the model runs as it is. Else a copy of its module runs, in channels_last memory if it convolves
    images, with batch norm folded into convolutions before they are rounded; the model is not changed.

    Args:
        model: from `resolve_model`.
        device: where the stimuli are, and the model is.
        dtype: float32, float16 or bfloat16; of a module's weights and its input. Logits are float32 always, and so is
            what a callable gets.
        batch: N, the number of stimuli in each call.
        crop: H and W, the side in pixels of an image that a copy looks at, for its batch norm to be folded; `None`: it
            is not.
        compiler: compiles a copy at its first call, which takes seconds; `None`: nothing is compiled.

    Attributes:
        dtype: what runs: that of a module as asked for, float32 for a callable.
        compiled: whether a compiler was given and used.
        as_it_is: whether the model runs, and no copy.

    Raises:
        CheckpointError: the module cannot be copied.
        torch.OutOfMemoryError: there is no memory for a copy.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        batch: int,
        crop: int | None = None,
        compiler: Compiler | None = None,
    ) -> None:
        self.batch = batch
        self.dtype, self.compiled = torch.float32, False
        self._id, self._classes = model.id, model.num_classes
        self._device = device
        self._call: Callable[[Tensor], Tensor] = model.call
        channels_last = model.channels_last
        self.as_it_is = not isinstance(model.call, nn.Module) or (dtype == torch.float32 and compiler is None)
        if isinstance(model.call, nn.Module) and not self.as_it_is:
            self.dtype, self.compiled = dtype, compiler is not None
            channels_last = prefers_channels_last(model.call)
            fused = None if crop is None else folded(model.call, torch.zeros(1, 3, crop, crop, device=device))
            module = (copied(model.call, model.id) if fused is None else fused).to(dtype)
            if channels_last:
                module = to_channels_last(module)
            self._call = module if compiler is None else compiler(module, model.architecture)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
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
        x = stimulus.to(device=self._device, dtype=self.dtype).contiguous(memory_format=self._layout)
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
        torch.OutOfMemoryError: the batch is too large for the GPU.
    """
    try:
        logits = call(x)
    except torch.OutOfMemoryError:
        raise
    except (Exception, SystemExit) as error:  # a model that ends the process would end the other models' run
        raise CheckpointError(
            f"model {model_id!r} fails on a {list(x.shape)} {x.dtype} batch on {x.device}: "
            f"{type(error).__name__}: {error}; "
            "check the image size, batch size (forward_batch=) and device that it takes"
        ) from error
    classes = "K" if num_classes is None else num_classes
    fits = (
        isinstance(logits, Tensor)
        and logits.dtype in FLOAT_DTYPES
        and logits.layout == torch.strided
        and logits.device == x.device
        and logits.dim() == 2
        and logits.shape[0] == x.shape[0]
        and (logits.shape[1] == num_classes if num_classes is not None else logits.shape[1] >= 2)
    )
    if not fits:
        raise CheckpointError(
            f"model {model_id!r}: wanted floating-point logits [{x.shape[0]}, {classes}] with at least 2 classes, "
            f"got {_described(logits, x)}; wrap it in a function that returns the logits alone"
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


def _described(value: object, x: Tensor) -> str:
    if isinstance(value, Tensor):
        place = "" if value.device == x.device else f" on {value.device}"
        layout = "" if value.layout == torch.strided else f" {value.layout}"
        return f"a {list(value.shape)} {value.dtype}{layout} tensor{place}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(str, value))}"
    return f"a {type(value).__name__}"
