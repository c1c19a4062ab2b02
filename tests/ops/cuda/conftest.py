# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels' bodies, compiled for the host and run phase by phase."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from visionbias.ops.cuda import Launch
from visionbias.runtime.nvrtc import Program

HOST_BLOCK = Path(__file__).with_name("host_block.h")
ORDERS = ("forward", "reverse", "shuffled")  # of the threads in a phase


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], ctypes.CDLL]:
    """Compile a program with g++, each once in a test run, without a warning."""
    gcc = shutil.which("g++")
    if gcc is None:
        pytest.skip("there is no g++")

    @cache
    def build(program: Program) -> ctypes.CDLL:
        target = tmp_path_factory.mktemp("cuda") / "program.so"
        flags = ("-O0", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-psabi")
        command = [gcc, *flags, *program.flags(), "-include", str(HOST_BLOCK), "-x", "c++", str(program.path)]
        done = subprocess.run([*command, "-o", str(target)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(target))

    return build


@pytest.fixture(params=ORDERS)
def launch(request: pytest.FixtureRequest, compiled: Callable[[Program], ctypes.CDLL]) -> Launch:
    """Launches on the CPU, and fails where a thread steps out of memory or meets another; in each order of threads."""
    return _launch(compiled, ORDERS.index(request.param))


@pytest.fixture
def launch_reversed(compiled: Callable[[Program], ctypes.CDLL]) -> Launch:
    """The same in one order, for large images."""
    return _launch(compiled, ORDERS.index("reverse"))


def _launch(compiled: Callable[[Program], ctypes.CDLL], order: int) -> Launch:
    def run(program: Program, kernel: str, blocks: int, arguments: ctypes.Structure, device: torch.device) -> None:
        function = getattr(compiled(program), kernel)
        function.restype = ctypes.c_char_p
        size = ctypes.c_size_t(ctypes.sizeof(arguments))
        fault = function(ctypes.byref(arguments), size, blocks, order, 1)
        assert fault == b"", fault.decode()

    return run
