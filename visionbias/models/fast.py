# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What makes a forward pass fast: types, channels_last memory, folded batch norm, compiled graphs."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.utils.flop_counter import FlopCounterMode

_BF16_FEATURES = ("amx_bf16", "avx512_bf16", "bf16")


def fast_dtypes(device: torch.device) -> tuple[torch.dtype, ...]:
    """What copies of modules may run in, the preferred one first: the 16-bit types that a device multiplies natively,
    and on a CPU float32, where a copy is faster that is compiled.
    """
    if device.type == "cuda":
        return torch.float16, torch.bfloat16  # float16 rounds eight times finer, but overflows at 65,504
    if device.type == "cpu" and any(torch.cpu.get_capabilities().get(name) for name in _BF16_FEATURES):
        return torch.bfloat16, torch.float32
    return (torch.float32,)


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


def flop_of(call: Callable[[Tensor], Any], x: Tensor) -> float:
    """Floating-point operations of one call, as a count."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        call(x)
    return float(counter.get_total_flops())
