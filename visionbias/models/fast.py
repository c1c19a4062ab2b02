# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What makes a forward pass fast: 16-bit types, folded batch norm, compiled graphs."""

import copy
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx.experimental.optimization import fuse
from torch.utils.flop_counter import FlopCounterMode

from visionbias.errors import BackendError, first_line

_BF16_FEATURES = ("amx_bf16", "avx512_bf16", "bf16")


def fast_dtypes(device: torch.device) -> tuple[torch.dtype, ...]:
    """The 16-bit types that a device multiplies natively, the preferred one first; none where float32 is as fast."""
    if device.type == "cuda":
        return torch.float16, torch.bfloat16  # float16 rounds eight times finer, but overflows at 65,504
    if device.type == "cpu" and any(torch.cpu.get_capabilities().get(name) for name in _BF16_FEATURES):
        return (torch.bfloat16,)
    return ()


def prefers_channels_last(module: nn.Module) -> bool:
    """Whether a module runs faster in channels_last memory: it convolves images, and nothing refuses that layout."""
    layers = list(module.modules())
    return any(isinstance(m, nn.Conv2d) for m in layers) and not any(isinstance(m, nn.Conv3d) for m in layers)


def to_channels_last(module: nn.Module) -> nn.Module:
    """The module itself, its weights of four dimensions in channels_last memory. (`Module.to` fails on five.)"""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return module


def worth_compiling(module: nn.Module, device: torch.device) -> bool:
    """Whether a module runs faster compiled. On a CPU that fuses convolutions with what follows them: a network of
    matrix products, which has one for its patches at most, gains nothing.
    """
    return device.type != "cpu" or sum(isinstance(layer, nn.Conv2d) for layer in module.modules()) > 1


def folded(module: nn.Module) -> nn.Module | None:
    """A copy with every batch norm that follows a convolution folded into it, in the module's own dtype; all others,
    such as those in front of convolutions, stay.

    `None` where that cannot be had: the module cannot be traced, or its layers do more than their forward passes
    (hooks, parametrizations).
    """
    for layer in module.modules():
        if layer._forward_hooks or layer._forward_pre_hooks or hasattr(layer, "parametrizations"):
            return None
    try:
        return fuse(_parted(module), inplace=True)
    except Exception:  # tracing runs the module's own code, on stand-ins for tensors
        return None


def _parted(module: nn.Module) -> nn.Module:
    """A copy in which timm's batch norms with an activation are batch norm, dropout and activation in sequence."""
    from timm.layers.norm_act import BatchNormAct2d

    parted = copy.deepcopy(module)
    for parent in list(parted.modules()):
        for name, layer in parent.named_children():
            if type(layer) is BatchNormAct2d and layer.running_mean is not None:
                norm = nn.BatchNorm2d(layer.num_features, layer.eps, affine=layer.affine).train(layer.training)
                for tensor in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                    setattr(norm, tensor, getattr(layer, tensor))
                setattr(parent, name, nn.Sequential(norm, layer.drop, layer.act))
    return parted


class Compiler:
    """Compiles modules for inference on batches of one shape.

    On a CPU each graph is for the weights of its module, packed once as the machine multiplies them: ResNet-50 runs a
    quarter faster in bfloat16 than where every call packs them. The kernels of an architecture are compiled with its
    first model, which takes about 20 seconds, and found again by the others in one or two.

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
        """What computes the same as the module."""
        if self._packs:
            return _compiled(lambda x: module(x), options={"freezing": True})
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


def require_compiler(device: torch.device) -> None:
    """Compile a layer, to know that it can be done.

    Raises:
        BackendError: it cannot.
    """
    try:
        with torch.inference_mode():
            Compiler(device)(nn.Sigmoid(), None)(torch.zeros(1, 1, device=device))
    except Exception as error:  # of the C++ compiler, of Triton, or of torch in between
        raise BackendError(
            f"wanted to compile models, as this run did when it began, got {type(error).__name__}: "
            f"{first_line(error):.200}; install a C++ compiler, or begin another folder"
        ) from error


def skeleton(module: nn.Module) -> nn.Module:
    """A copy without weights: the graph of an architecture outlives the model that it was compiled with."""
    weights = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(weight): _on_meta(weight) for weight in weights})


def _on_meta(weight: Tensor) -> Tensor:
    empty = weight.detach().to("meta")
    return nn.Parameter(empty, weight.requires_grad) if isinstance(weight, nn.Parameter) else empty


def _graph(module: nn.Module) -> Callable[..., Tensor]:
    return _compiled(lambda weights, x: functional_call(module, weights, (x,)), mode="reduce-overhead")


def _compiled(function: Callable[..., Tensor], **how: Any) -> Callable[..., Tensor]:
    """A function compiled at its first call, with code of its own: torch compiles the same code a few times only."""
    own = FunctionType(function.__code__.replace(), function.__globals__, closure=function.__closure__)
    compiled: Callable[..., Tensor] = torch.compile(own, dynamic=False, **how)
    return compiled


def flop_of(call: Callable[[Tensor], Any], x: Tensor) -> float:
    """Floating-point operations of one call, as a count."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        call(x)
    return float(counter.get_total_flops())
