# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""GCC and its sanitizers, where this machine has them."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
CPU = CSRC / "cpu"
FLAGS = (
    *("-std=c++17", "-O0", "-g1", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-sanitize-recover=all"),
    *("-Wall", "-Wextra", "-Werror", "-DVISIONBIAS_SANITIZED", f"-I{CSRC}", f"-I{CPU}"),
)

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def gcc() -> str:
    """Its path."""
    found = shutil.which("g++")
    if found is None:
        pytest.skip("there is no g++")
    return found


@pytest.fixture(scope="session")
def library(gcc: str) -> Callable[[str], str]:
    """Path of a library that comes with the compiler, or a skip."""

    def find(name: str) -> str:
        found = subprocess.run([gcc, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout
        if not Path(found.strip()).is_absolute():
            pytest.skip(f"g++ has no {name}")
        return found.strip()

    return find


@pytest.fixture(scope="session")
def build(gcc: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile sources side by side, none with a warning, and link them: build(name, sources, *flags)."""

    def run(name: str, sources: list[Path], *flags: str) -> Path:
        folder = tmp_path_factory.mktemp("csrc")

        def done(*arguments: str) -> None:
            process = subprocess.run([gcc, *arguments], capture_output=True, text=True, timeout=500)
            assert process.returncode == 0, process.stderr

        def compiled(source: Path) -> str:
            target = folder / f"{source.parent.name}_{source.stem}.o"
            done(*FLAGS, *flags, "-c", str(source), "-o", str(target))
            return str(target)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compiled, sources))
        done(*flags, *objects, "-o", str(folder / name))
        return folder / name

    return run


@pytest.fixture(scope="session")
def sanitized_engine(build: Build, library: Callable[[str], str]) -> dict[str, str]:
    """Environment of a Python process with pytest's plugin `sanitized_engine`: ASan, UBSan and the engine's path."""
    pybind11 = pytest.importorskip("pybind11", reason="pybind11 is not installed")
    runtimes = [library(name) for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
    headers = [f"-I{folder}" for folder in (sysconfig.get_paths()["include"], pybind11.get_include())]
    engine = build("_C.so", sorted(CPU.rglob("*.cpp")), "-shared", "-fsanitize=address,undefined", *headers)
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(runtimes),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves what the end of the process frees anyway
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": os.pathsep.join([str(CSRC.parent), str(Path(__file__).parent)]),
        "VISIONBIAS_SANITIZED_ENGINE": str(engine),
    }
