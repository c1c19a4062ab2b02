# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How each model runs: as a faster copy, in 16 bits if it can be, where that pays and decides alike, else as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from visionbias.engine.agreement import agreement
from visionbias.engine.inputs import stimulus_buffer
from visionbias.errors import CheckpointError, first_line
from visionbias.models.compiler import Compiler, compiling_refused, require_compiler, turned_off
from visionbias.models.fast import fast_dtypes, flop_of, worth_compiling
from visionbias.models.forward import Forward
from visionbias.models.model import Model, ModelInfo
from visionbias.runtime.progress import progress_bar

if TYPE_CHECKING:
    from visionbias.engine.prepare import ModelGroup, Prepared
    from visionbias.engine.study import Study

# Floating-point operations of all forward passes of a model, for each thread of a CPU and for a GPU. With fewer,
# compiling and comparing take longer than they save: that is about two minutes in float32.
_WORTH_FLOP = {"cpu": 1e13, "cuda": 5e15}
# Of a compiled graph's logits: more than rounding brings about in most networks. Beyond it the copy that was compiled
# is asked too, and the graph is wrong if that one's are so many times better. In float32 it is refused at once.
_MOST_ERROR = {torch.float32: 1e-4, torch.float16: 0.005, torch.bfloat16: 0.03}
_TIMES_THE_ERROR = 4


@dataclass(frozen=True)
class Chosen:
    """How a model runs, and by dtype what spoke for or against the copies that were tried, for the manifest."""

    dtype: torch.dtype = torch.float32
    compiled: bool = False
    tried: dict[str, Any] = field(default_factory=dict)

    @property
    def as_it_is(self) -> bool:
        """Whether no copy runs; a callable has none."""
        return self.dtype == torch.float32 and not self.compiled

    @property
    def refused(self) -> str | None:
        """Why it runs in float32 though copies were tried; also where a copy in float32 is what runs."""
        reasons = [f"{dtype}: {figures['reason']}" for dtype, figures in self.tried.items() if "reason" in figures]
        return "; ".join(reasons) if self.dtype == torch.float32 and reasons else None


def choose_forwards(
    study: "Study",
    prepared: "Prepared",
    begun: Mapping[str, Any] | None,  # the models of the manifest that the run folder holds, if any
    progress: bool | None,
) -> dict[str, Chosen]:
    """How each model runs, by id. A run that was begun goes on in the precision that it was begun with.

    Raises:
        BackendError: it was begun with compiled models, and nothing can be compiled here.
    """
    if begun is not None and any(found.get("compiled") for found in begun.values()):
        require_compiler(prepared.device)
    fast = () if study.precision == "fp32" else fast_dtypes(prepared.device)
    chosen = {}
    with progress_bar(len(prepared.models), progress, "compare precisions", unit="model") as bar:
        for model in prepared.models:
            found = {} if begun is None else begun.get(model.id, {})
            if "precision" in found:
                chosen[model.id] = Chosen(getattr(torch, found["precision"]), found["compiled"])
            else:
                chosen[model.id] = _choose(study, prepared, model, fast) if fast else Chosen()
            bar.update(1)
    return chosen


def dtype_name(dtype: torch.dtype) -> str:
    """As in `"float32"`."""
    return str(dtype).removeprefix("torch.")


def pays(model: Model, crop: int, device: torch.device, stimuli: int) -> bool:
    """Whether the forward passes of all stimuli are enough that a copy is worth its start.

    The answer is a count, not a time, so that it is the same in every run of a study on a machine.

    Raises:
        CheckpointError: the operations of a forward pass cannot be counted.
    """
    if not isinstance(model.call, nn.Module) or not stimuli:
        return False
    worth = _WORTH_FLOP[device.type] * (torch.get_num_threads() if device.type == "cpu" else 1)
    worth_per_image = worth / stimuli
    weights = sum(parameter.numel() for parameter in model.call.parameters())
    if 2 * weights * crop**2 < worth_per_image:  # no weight is used more than once a pixel
        return False
    try:
        return flop_of(model.call, torch.zeros(1, 3, crop, crop, device=device)) >= worth_per_image
    except Exception as error:  # of a module that takes one batch size only, or of torch's compiler, which is loaded
        raise CheckpointError(
            f"wanted to count the operations of a forward pass of one image, got {type(error).__name__}: "
            f"{first_line(error):.200}"
        ) from error


def _crop(model: ModelInfo, prepared: "Prepared") -> int:
    return prepared.arms[0].group_of(model).preprocessing.crop


def fast_forward(
    model: Model, *, device: torch.device, dtype: torch.dtype, batch: int, crop: int, compiler: Compiler
) -> tuple[Forward, str | None]:
    """The forward pass in a dtype, compiled where that helps and works (it needs a C++ compiler): in float32 the model
    runs as it is where it is not. And why it does not work, if it was tried.

    Raises:
        CheckpointError: the module cannot be copied.
    """
    why = None
    if isinstance(model.call, nn.Module) and worth_compiling(model.call, device) and not turned_off():
        try:
            forward = Forward(model, device=device, dtype=dtype, batch=batch, crop=crop, compiler=compiler)
            with torch.inference_mode():  # as the stimuli of a run are made; a graph is of that kind or the other
                stimulus = stimulus_buffer(1, batch, crop, dtype, device)[0]
                forward(stimulus)
                with compiling_refused():  # what the module keeps in Python would have it compiled at every call
                    forward(stimulus)
            return forward, None
        except CheckpointError as error:
            cause = error.__cause__ or error
            why = f"{type(cause).__name__}: {first_line(cause):.200}"
    return Forward(model, device=device, dtype=dtype, batch=batch, crop=crop), why


def _choose(study: "Study", prepared: "Prepared", info: ModelInfo, dtypes: Sequence[torch.dtype]) -> Chosen:
    """As it is where a copy is not worth its start, or nobody can tell."""
    model = prepared.residents.model(info.id)
    try:
        worth_it = pays(model, _crop(info, prepared), prepared.device, prepared.stimuli)
    except CheckpointError as error:
        return Chosen(tried={dtype_name(dtypes[0]): {"reason": str(error)}})
    return _compare(study, prepared, info, dtypes) if worth_it else Chosen()


def _compare(study: "Study", prepared: "Prepared", info: ModelInfo, dtypes: Sequence[torch.dtype]) -> Chosen:
    """The first of the copies that decides as the model does, else the model as it is."""
    tried: dict[str, Any] = {}
    for dtype in dtypes:
        try:
            forward, figures = _tried(study, prepared, info, dtype)
        except (CheckpointError, torch.OutOfMemoryError) as error:
            forward, figures = None, {"reason": str(error)}
        if figures:
            tried[dtype_name(dtype)] = figures
        if forward is not None and not forward.as_it_is and "reason" not in figures:
            prepared.residents.keep(info.id, forward)
            return Chosen(forward.dtype, forward.compiled, tried)
    return Chosen(tried=tried)


def _tried(study: "Study", prepared: "Prepared", info: ModelInfo, dtype: torch.dtype) -> tuple[Forward, dict[str, Any]]:
    """The faster forward pass in a dtype, with the figures of `agreement`, and `not_compiled` if it is for a reason; no
    figures for the model as it is, if that is all there is.

    A graph is only taken for what it was compiled from: torch has compiled wrong ones.

    Raises:
        CheckpointError, torch.OutOfMemoryError: it fails.
    """
    model = prepared.residents.model(info.id)
    options: Any = {"device": prepared.device, "batch": prepared.forward_batch, "crop": _crop(info, prepared)}
    exact = Forward(model, **options)
    forward, why = fast_forward(model, dtype=dtype, compiler=prepared.residents.compiler, **options)
    figures = {} if forward.as_it_is else agreement(forward, exact, study, prepared, info)
    if forward.compiled and ("reason" in figures or figures["logit_error"] > _MOST_ERROR[dtype]):
        eager = Forward(model, dtype=dtype, **options)
        error = figures.get("logit_error", inf)
        wrong = f"the graph's logits are off by {error:.1e}" if error < inf else "the graph's logits are not finite"
        if eager.as_it_is:
            return forward, {"reason": f"{wrong}, more than {_MOST_ERROR[dtype]:.0e}"} | figures
        own = agreement(eager, exact, study, prepared, info)
        if "reason" not in own and _TIMES_THE_ERROR * own["logit_error"] < error:
            forward, figures, why = eager, own, f"{wrong}, the copy's by {own['logit_error']:.1e}"
    if why is None:
        return forward, figures
    return forward, {"reason": f"not compiled: {why}"} if forward.as_it_is else figures | {"not_compiled": why}


def common_dtype(group: "ModelGroup", chosen: Mapping[str, Chosen]) -> torch.dtype:
    """The dtype of the stimuli of models that see the same pixels: theirs if they agree, else float32."""
    dtypes = {chosen[model.id].dtype for model in group.models}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32
