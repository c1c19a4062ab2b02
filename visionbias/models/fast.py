# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What makes a forward pass fast: types, channels_last memory, and where it pays compiled graphs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

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


def flop_of(call: Callable[[Tensor], Any], x: Tensor) -> float:
    """Floating-point operations of one call, as a count."""
    counter = _FlopCounter()  # type: ignore[no-untyped-call]
    with torch.inference_mode(), counter:
        call(x)
    return counter.total


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts those of one thread. Torch's `FlopCounterMode` counts the same, by module, for which it hooks those of all
    threads.
    """

    total = 0.0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        count = flop_registry.get(func._overloadpacket)
        if count is None:
            with self:  # of an operator that consists of others
                made = func.decompose(*args, **options)
            return func(*args, **options) if made is NotImplemented else made
        made = func(*args, **options)
        self.total += count(*args, **options, out_val=made)
        return made
