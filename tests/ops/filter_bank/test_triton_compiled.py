# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The Triton kernels compiled for GPUs that this machine need not have: no spills, and no more registers and shared
memory than triton_resources.json allows, which holds the most that Triton 3.6 and 3.8 take."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import torch

import visionbias as vb
from visionbias.ops.filter_bank import triton
from visionbias.ops.filter_bank.spec import Spec
from visionbias.ops.filter_bank.triton import TritonKernel

compiler = pytest.importorskip("triton.compiler", reason="Triton is not installed")
backends = pytest.importorskip("triton.backends.compiler", reason="Triton is not installed")
nvidia = Path(pytest.importorskip("triton.backends.nvidia", reason="Triton is without its NVIDIA backend").__path__[0])

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="under TRITON_INTERPRET=1 nothing compiles"
)

LIMITS = json.loads(Path(__file__).with_name("triton_resources.json").read_text())
TYPES = {torch.uint8: "u8", torch.int32: "i32", torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
BANDS = (vb.lowpass(0.5), vb.highpass(0.3))


def launches(size, exact, input_dtype, dtype, channels_last):
    """What a call launches: kernels and arguments."""
    x = torch.zeros(1, 3, size, size, dtype=input_dtype)
    out = torch.empty(2, 1, 3, size, size, dtype=dtype)
    if channels_last:
        x, out = x.to(memory_format=torch.channels_last), torch.empty(2, 1, size, size, 3, dtype=dtype).movedim(-1, -3)
    spec = Spec(BANDS, size, size, (0.0,) * 3, (1.0,) * 3, input_dtype, dtype, x.device)
    kernel = TritonKernel(spec, exact=exact)
    return kernel.launches(torch.empty(1, 3, *kernel.kept), x, out)


def compiled(name, arguments, architecture):
    """As a launch specializes it: constants, ones, and what 16 divides."""
    function = getattr(triton.kernels(), name)
    signature, constants, attributes = {}, {}, {}
    for i, parameter in enumerate(function.params):
        value = arguments[parameter.name]
        if parameter.is_constexpr or (type(value) is int and value == 1):
            signature[parameter.name], constants[(i,)] = "constexpr", value
            continue
        tensor = isinstance(value, torch.Tensor)
        signature[parameter.name] = f"*{TYPES[value.dtype]}" if tensor else "i32" if isinstance(value, int) else "fp32"
        if tensor or (isinstance(value, int) and value % 16 == 0):
            attributes[(i,)] = [["tt.divisibility", 16]]
    target = backends.GPUTarget("cuda", architecture, 32)
    source = compiler.ASTSource(function, signature, constants, attributes)
    options = {name: arguments[name] for name in ("num_warps", "num_stages")}
    return compiler.compile(source, target=target, options=options)


def resources(binary, tmp_path):
    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(binary.asm["cubin"])
    command = [nvidia / "bin" / "cuobjdump", "-res-usage", cubin]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack, local = (int(re.search(rf"{name}:(\d+)", report)[1]) for name in ("REG", "STACK", "LOCAL"))
    return {"registers": registers, "spilled": stack + local, "shared": binary.metadata.shared}


@pytest.mark.parametrize("case", LIMITS)
def test_resources(case, tmp_path):
    size, mode, architecture, source, result, layout = case.split()
    dtypes = {name: dtype for dtype, name in TYPES.items()}
    call = launches(int(size), mode == "exact", dtypes[source], dtypes[result], layout == "nhwc")
    found = {
        name: resources(compiled(name, arguments, int(architecture.removeprefix("sm_"))), tmp_path)
        for name, _, arguments in call
    }
    assert list(found) == ["analyze", "synthesize"]
    for name, taken in found.items():
        allowed = LIMITS[case][name]
        assert taken["spilled"] == 0, f"{name} spills: {taken}"
        assert all(taken[what] <= allowed[what] for what in allowed), f"{name} takes {taken}, allowed {allowed}"


def test_the_exact_mode_adds_up_outside_of_the_tensor_cores():
    """Which Triton could undo: it makes a product of a sum of a product and something else, where that starts at 0."""
    for name, _, arguments in launches(224, True, torch.uint8, torch.bfloat16, True):
        text = compiled(name, arguments, 90).asm["ttir"]
        products = dict(re.findall(r"(%\S+) = tt\.dot [^,]+, [^,]+, (%\w+)", text))
        added = {operand for pair in re.findall(r"arith\.addf (%\w+), (%\w+)", text) for operand in pair}
        assert len(products) == 6
        for result, start in products.items():
            assert (result in added) != (result in products.values())
            assert start in products or "%cst" in start
