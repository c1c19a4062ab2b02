# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiled graphs of modules: on CUDA one for an architecture, on a CPU one for each model, with its weights in it."""

import copy
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Lock
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.func import functional_call

from visionbias.errors import BackendError, first_line

_compiling = Lock()  # torch's list of what was compiled is the process's


class Compiler:
    """Compiles modules for inference on batches of one shape. A module that torch cannot put into one graph fails at
    its first call: the code of the parts would be shared by others, and compiled a few times only.

    On a CPU each graph holds a copy of the weights of its module, packed once as the machine multiplies them, where
    other graphs pack them at every call. The kernels of an architecture are compiled with its first model, which takes
    up to half a minute, and found again by the others in a second or two.

    On CUDA weights are inputs of the graph, so all checkpoints of an architecture share one: the first call of the
    first of them takes seconds, the others swap their weights in. The graph is replayed as a CUDA graph, which copies
    them into buffers of its own.
    """

    def __init__(self, device: torch.device) -> None:
        self._packs = device.type == "cpu"
        self._graphs: dict[tuple[str, str], Callable[..., Tensor]] = {}

    def __call__(
        self,
        module: nn.Module,  # whose weights stay as they are from now on
        architecture: str | None,  # modules of one architecture and the same layers share what they can; None: nothing
    ) -> Callable[[Tensor], Tensor]:
        """What computes the same as the module, in inference mode."""
        if self._packs:
            return _Packed(module)
        if architecture is None:
            graph = _graph(module)
        else:
            kind = architecture, str(module)
            if kind not in self._graphs:
                self._graphs[kind] = _graph(skeleton(module))
            graph = self._graphs[kind]
        weights = {name: tensor.detach() for name, tensor in (*module.named_parameters(), *module.named_buffers())}

        def call(x: Tensor) -> Tensor:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # logits were read
            return graph(weights, x)

        return call


class _Packed:
    """One graph with a copy of its module's weights, compiled at the first call. Torch would keep all that it ever
    compiled, and so these weights; here they go with the graph.
    """

    def __init__(self, module: nn.Module) -> None:
        function = _with_own_code(lambda x: module(x))
        self._graph: Callable[[Tensor], Tensor] = torch.compile(function, dynamic=False, fullgraph=True)
        self._made: list[ModuleType] = []  # Python modules of generated code, with the weights
        finalize(self, _forget, function.__code__, self._made)

    def __call__(self, x: Tensor) -> Tensor:
        if self._made:
            return self._graph(x)
        from torch._inductor import config  # takes a second
        from torch._inductor.codecache import PyCodeCache

        with _compiling:
            before = set(PyCodeCache.modules)
            with config.patch(freezing=True):
                made = self._graph(x)
            self._made += [module for module in PyCodeCache.modules if module not in before]
        return made


def _forget(code: CodeType, made: list[ModuleType]) -> None:
    from torch._C._dynamo.eval_frame import reset_code
    from torch._inductor.codecache import PyCodeCache

    reset_code(code)
    for module in made:  # with no lock: the garbage collector may call this while this very thread compiles
        with suppress(ValueError):
            PyCodeCache.modules.remove(module)
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
    made.clear()


def require_compiler(device: torch.device) -> None:
    """Compile a layer, to know that it can be done.

    Raises:
        BackendError: it cannot, or the environment turns it off.
    """
    try:
        with torch.inference_mode():
            compiled = Compiler(device)(_WhetherCompiled(), None)(torch.zeros(1, 1, device=device))
        if not compiled.all():
            raise RuntimeError("the environment turns torch.compile off")
    except Exception as error:  # of the C++ compiler, of Triton, or of torch in between
        raise BackendError(
            f"wanted to compile models, as this run did when it began, got {type(error).__name__}: "
            f"{first_line(error):.200}; install a C++ compiler and let torch.compile use it, or begin another folder"
        ) from error


def compiling_refused() -> AbstractContextManager[None]:
    """Inside, in this thread, a graph that would have to be compiled again raises torch's error."""
    from torch._dynamo import config

    refused: AbstractContextManager[None] = config.patch(error_on_recompile=True)
    return refused


def turned_off() -> bool:
    """Whether the environment turns torch.compile off, which then gives back what it is given."""
    return any(os.environ.get(name) == "1" for name in ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"))


class _WhetherCompiled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid() if torch.compiler.is_dynamo_compiling() else x


def skeleton(module: nn.Module) -> nn.Module:
    """A copy without weights: the graph of an architecture outlives the model that it was compiled with."""
    weights = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(weight): _on_meta(weight) for weight in weights})


def _on_meta(weight: Tensor) -> Tensor:
    empty = weight.detach().to("meta")
    return nn.Parameter(empty, weight.requires_grad) if isinstance(weight, nn.Parameter) else empty


def _graph(module: nn.Module) -> Callable[..., Tensor]:
    function = _with_own_code(lambda weights, x: functional_call(module, weights, (x,)))
    graph: Callable[..., Tensor] = torch.compile(function, dynamic=False, fullgraph=True, mode="reduce-overhead")
    return graph


def _with_own_code(function: Callable[..., Any]) -> FunctionType:
    """A copy of a function that shares no code with others: torch keeps graphs by code, and only a few of each."""
    return FunctionType(function.__code__.replace(), function.__globals__, closure=function.__closure__)
