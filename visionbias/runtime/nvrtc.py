# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""CUDA kernels from text: compiled by NVRTC through CuPy at first use, launched on torch's current stream.

CuPy keeps what was compiled in its own cache (`$CUPY_CACHE_DIR`), one entry a program and generation of GPU.
"""

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from visionbias.errors import BackendError

NO_CUPY = "CuPy is not installed; run: pip install 'visionbias[cuda13]', or [cuda12]"

_LOADING = Lock()


@dataclass(frozen=True, slots=True)
class Program:
    """A file of kernels for sizes that are known. Hashable: it is the key of what is loaded."""

    file: str  # below csrc/cuda
    threads: int  # in a block
    shared: int  # bytes of a block
    defines: tuple[tuple[str, int | str], ...] = ()

    @property
    def path(self) -> Path:
        """Where its text is."""
        return sources() / "cuda" / self.file

    def flags(self) -> list[str]:
        """What every compiler is told."""
        numbers = {"VISIONBIAS_THREADS": self.threads, "VISIONBIAS_SHARED": self.shared, **dict(self.defines)}
        defined = [f"-D{name}={value}" for name, value in numbers.items()]
        return ["-std=c++17", f"-I{sources()}", f"-I{sources() / 'cuda'}", *defined]


@cache
def sources() -> Path:
    """The folder with `common` and `cuda`: in an installed package, or in the repository."""
    package = Path(__file__).parents[1]
    installed = package / "_cuda_src"
    return installed if installed.is_dir() else package.parent / "csrc"


@cache
def fingerprint() -> str:
    """Of all that a program may include: CuPy's cache knows of a program's own text only."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for room in ("common", "cuda") for path in (sources() / room).rglob("*.[hc]*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def launch(program: Program, kernel: str, blocks: int, arguments: ctypes.Structure, device: torch.device) -> None:
    """Run a kernel's blocks on a device, after what its current stream holds.

    Raises:
        BackendError: the program does not compile or load, or the device does not take the launch.
    """
    cupy, index = _cupy(kernel), _index(device)
    value = np.frombuffer(bytes(arguments), np.dtype((np.void, ctypes.sizeof(arguments))))  # passed by value
    with cupy.cuda.Device(index), torchs_stream(cupy, device):
        function = _function(program, kernel, index)
        try:
            function((blocks,), (program.threads,), (value,), shared_mem=program.shared)
        except RuntimeError as error:  # CuPy's errors of driver and runtime are ones
            raise BackendError(f"{kernel}: {device} did not take the launch: {error}; try backend='torch'") from error


def torchs_stream(cupy: Any, device: torch.device) -> Any:
    """torch's current stream as one of CuPy's, which makes it current in a `with`."""
    stream = torch.cuda.current_stream(device)
    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14, where ExternalStream warns
        return cupy.cuda.Stream.from_external(stream)
    return cupy.cuda.ExternalStream(stream.cuda_stream, stream.device_index)


def _cupy(kernel: str) -> Any:
    try:
        return import_module("cupy")
    except ImportError as error:  # also where it finds no CUDA libraries
        raise BackendError(f"{kernel}: CuPy cannot be imported: {error}; try backend='torch'") from error


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


def _function(program: Program, kernel: str, index: int) -> Any:
    with _LOADING:
        return _loaded(program, kernel, index)


@lru_cache(maxsize=256)
def _loaded(program: Program, kernel: str, index: int) -> Any:  # noqa: ARG001 (of the current device, part of the key)
    cupy = _cupy(kernel)
    options = (*program.flags(), f"-DVISIONBIAS_SOURCES={fingerprint()}")
    try:
        function = cupy.RawModule(code=program.path.read_text(), options=options).get_function(kernel)
        function.max_dynamic_shared_size_bytes = program.shared
    except cupy.cuda.compiler.CompileException as error:
        raise BackendError(f"{kernel}: NVRTC does not compile {program.file}; try backend='torch'\n{error}") from error
    except (RuntimeError, OSError, ImportError) as error:  # CuPy's errors of driver and runtime are RuntimeErrors
        raise BackendError(f"{kernel}: {program.file} cannot be loaded: {error}; try backend='torch'") from error
    return function


def cupy_installed() -> bool:
    """Whether there is a CuPy; that it works shows at the first launch."""
    return find_spec("cupy") is not None
