# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Batch norm folded into the convolutions that it follows.

Which ones those are is seen while a copy of the module looks at one image. Tracing with torch.fx would tell as well,
but replaces `nn.Module.__call__` meanwhile, for the models of all threads.
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_NORM_OF: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}
_ATEN = torch.ops.aten
_READS_VALUES = {_ATEN._local_scalar_dense.default, _ATEN.item.default, _ATEN.is_nonzero.default, _ATEN.equal.default}


def folded(
    module: nn.Module,
    image: Tensor,  # [1, C, H, W], of whatever values
) -> nn.Module | None:
    """A copy with every batch norm that follows a convolution folded into it, in the module's own dtype; all others,
    such as those in front of convolutions, stay.

    `None` where that cannot be had: the module cannot be copied, takes no single image, does what depends on the
    values of its pixels, or its layers do more than their forward passes (hooks, parametrizations).

    Raises:
        torch.OutOfMemoryError: there is no memory for the image.
    """
    for layer in module.modules():
        if layer._forward_hooks or layer._forward_pre_hooks or hasattr(layer, "parametrizations"):
            return None
    try:
        made = _parted(module)
        pairs = _pairs(made, image)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # of the module's own code
        return None
    instead: dict[nn.Module, nn.Module] = {}
    for convolution, norm in pairs:
        # Some modules keep their flags of training; a convolution's means nothing, and the norm's was looked at.
        instead[convolution], instead[norm] = fuse_conv_bn_eval(convolution.eval(), norm), nn.Identity()
    for parent in list(made.modules()):
        for name, child in parent._modules.items():
            if child is not None:
                parent._modules[name] = instead.get(child, child)
    return made


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


@torch.inference_mode()
def _pairs(module: nn.Module, image: Tensor) -> list[tuple[Any, Any]]:
    """Each convolution whose output goes into a batch norm and nowhere else, with that."""
    layers = [layer for layer in module.modules() if type(layer) in (*_NORM_OF, *_NORM_OF.values())]
    watch = _Watch(layers)
    hooks = [layer.register_forward_pre_hook(watch.enter) for layer in layers]
    hooks += [layer.register_forward_hook(watch.leave) for layer in layers]
    with watch:
        module(image)
    for hook in hooks:
        hook.remove()
    return watch.pairs()


class _Watch(TorchDispatchMode):
    """Sees which layers get what others made, and which outputs and weights are used by anything else."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inside: nn.Module | None = None
        self._calls: Counter[nn.Module] = Counter()
        self._follows: dict[nn.Module, nn.Module] = {}  # convolutions by the norm that gets their output
        self._made: dict[int, tuple[nn.Module, Tensor]] = {}  # by id, and held so that nothing else gets the same one
        self._weights = {id(weight): layer for layer in layers for weight in (*layer.parameters(), *layer.buffers())}
        self._shared: set[nn.Module] = set()  # whose output or weights something else takes

    def enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inside = layer
        self._calls[layer] += 1
        for convolution, _ in (self._made[id(x)] for x in inputs if id(x) in self._made):
            if type(layer) is _NORM_OF[type(convolution)]:
                self._follows[layer] = convolution

    def leave(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG002
        self._inside = None
        if type(layer) in _NORM_OF:
            self._made[id(output)] = layer, output

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _READS_VALUES:
            raise ValueError(f"what the module does depends on the values of pixels: {func}")
        source = None if self._inside is None else self._follows.get(self._inside)
        for key in map(id, tree_leaves((args, kwargs))):
            if key in self._made and self._made[key][0] is not source:
                self._shared.add(self._made[key][0])
            if key in self._weights and self._weights[key] is not self._inside:
                self._shared.add(self._weights[key])
        return func(*args, **(kwargs or {}))

    def pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Convolutions with their batch norms."""
        norms = Counter(self._follows.values())
        return [
            (convolution, norm)
            for norm, convolution in self._follows.items()
            if norm.track_running_stats
            and not norm.training
            and self._calls[norm] == self._calls[convolution] == norms[convolution] == 1
            and self._shared.isdisjoint((norm, convolution))
        ]
