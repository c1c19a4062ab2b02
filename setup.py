# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Build of the CPU engine `visionbias._C`, and the GPU kernels' text; everything else is declared in pyproject.toml."""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, ExecError, PlatformError

NO_COMPILER = """
visionbias: the CPU engine (csrc/cpu) needs a C++17 compiler and the Python headers; building it failed as shown above.
If no compiler was found, install one and run pip again:
  Debian, Ubuntu   apt-get install g++ python3-dev
  Fedora, RHEL     dnf install gcc-c++ python3-devel
  macOS            xcode-select --install
  Windows          Visual Studio Build Tools, workload "Desktop development with C++"
  conda            conda install cxx-compiler
"""


class BuildEngine(build_ext):
    """`build_ext` that knows each compiler's flags, and says what to install when there is none."""

    def build_extensions(self) -> None:
        # Every target must give the same bits, so nothing may be fused into an FMA.
        msvc = self.compiler.compiler_type == "msvc"
        flags = ["/O2", "/fp:precise"] if msvc else ["-O3", "-ffp-contract=off", "-fno-math-errno"]
        for extension in self.extensions:
            extension.extra_compile_args += flags
        try:
            super().build_extensions()
        except (CCompilerError, ExecError, PlatformError) as error:
            raise SystemExit(f"{error}\n{NO_COMPILER}") from error


class BuildPackage(build_py):
    """`build_py` that puts the text of the GPU kernels into the package, where `runtime/nvrtc.py` looks for it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # there the text is read where it is written
            return
        for room in ("common", "cuda"):
            self.copy_tree(f"csrc/{room}", str(Path(self.build_lib, "visionbias", "_cuda_src", room)))


ParallelCompile().install()
setup(
    ext_modules=[
        Pybind11Extension(
            "visionbias._C",
            sorted(map(str, Path("csrc/cpu").rglob("*.cpp"))),
            include_dirs=["csrc", "csrc/cpu"],
            depends=sorted(str(path) for room in ("common", "cpu") for path in Path("csrc", room).rglob("*.h")),
            cxx_std=17,
        )
    ],
    cmdclass={"build_ext": BuildEngine, "build_py": BuildPackage},
)
