# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass of a large job against eager float32, and what each step from the one to the other brings."""

import copy
from collections.abc import Callable, Iterator

import timm
import torch
from torch import Tensor

from benchmarks.registry import Case, benchmark
from visionbias.engine.batches import forward_batch
from visionbias.engine.precision import dtype_name
from visionbias.models.compiler import Compiler
from visionbias.models.fast import fast_dtypes
from visionbias.models.forward import Forward
from visionbias.models.model import DataConfig, Model
from visionbias.runtime.freed_memory import freed_memory_kept

EAGER = "peer: eager float32, NCHW"
FLOOR = 5.0  # times the speed of eager float32
MOST_OFF = 0.05  # of the largest logit


@benchmark("forward")
def cases(device: str, arch: str = "resnet50", n: int | None = None, size: int = 224) -> Iterator[Case]:
    """One case; none where the device does not multiply 16-bit numbers natively."""
    place = torch.device(device)
    for dtype in fast_dtypes(place)[:1]:
        if dtype != torch.float32:
            yield _case(arch, place, dtype, n or forward_batch(device), size)


def _case(arch: str, device: torch.device, dtype: torch.dtype, n: int, size: int) -> Case:
    torch.manual_seed(0)
    module = timm.create_model(arch).eval().to(device)
    half, single = (copy.deepcopy(module).to(memory_format=torch.channels_last) for _ in range(2))
    half = half.to(dtype)
    model = Model(arch, module.num_classes, DataConfig(), None, arch, module, arch)
    options = {"device": device, "dtype": dtype, "batch": n, "crop": size}
    compiled, folded = Forward(model, compiler=Compiler(device), **options), Forward(model, **options)
    shared = Forward(model, compiler=Compiler(torch.device("cuda")), **options)  # as on CUDA, on any device
    exactly = Forward(model, compiler=Compiler(device), **options | {"dtype": torch.float32})
    x = torch.randn(n, 3, size, size, device=device)
    exact = x.contiguous(memory_format=torch.channels_last)
    fast = exact.to(dtype)  # as the engine synthesizes it
    name = dtype_name(dtype)

    calls: dict[str, Callable[[], Tensor]] = {
        f"{name}, channels_last, folded, compiled, kept memory": freed_memory_kept()(lambda: compiled(fast)),
        f"peer: {name}, channels_last, folded, compiled": lambda: compiled(fast),
        f"peer: {name}, channels_last, folded, compiled, weights as inputs": lambda: shared(fast),
        f"peer: {name}, channels_last, folded": lambda: folded(fast),
        f"peer: {name}, channels_last": lambda: half(fast),
        "peer: float32, channels_last, folded, compiled, kept memory": freed_memory_kept()(lambda: exactly(exact)),
        "peer: float32, channels_last": lambda: single(exact),
        "peer: eager float32, NCHW, kept memory": freed_memory_kept()(lambda: module(x)),
        EAGER: lambda: module(x),
    }
    contenders = {name: torch.inference_mode()(call) for name, call in calls.items()}

    def check(name: str) -> float:
        wanted = contenders[EAGER]()
        error = float((contenders[name]().float() - wanted).abs().max() / wanted.abs().max())
        assert error < MOST_OFF, f"logits are off by {error} of the largest"
        return error

    return Case(
        op="forward",
        shape=f"{arch}, [{n}, 3, {size}, {size}]",
        dtype=name,
        unit="images",
        work=n,
        bytes_moved=sum(weight.nbytes for weight in half.parameters()) + fast.nbytes,
        contenders=contenders,
        check=check,
        floors={EAGER: FLOOR},
    )
