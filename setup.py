# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Build of the CPU engine `visionbias._C`; everything else is declared in pyproject.toml."""

from glob import glob

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup
from setuptools.errors import CCompilerError, ExecError, PlatformError

NO_COMPILER = """
visionbias: the CPU engine (csrc/cpu) needs a C++17 compiler and the Python headers, and building it failed as shown above.
If no compiler was found, install one and run pip again:
  Debian, Ubuntu   apt-get install g++ python3-dev
  Fedora, RHEL     dnf install gcc-c++ python3-devel
  macOS            xcode-select --install
  Windows          Visual Studio Build Tools, workload "Desktop development with C++"
  conda            conda install cxx-compiler
"""


class BuildEngine(build_ext):
    """`build_ext` that says what to install when the compiler is missing."""

    def build_extensions(self) -> None:
        try:
            super().build_extensions()
        except (CCompilerError, ExecError, PlatformError) as error:
            raise SystemExit(f"{error}\n{NO_COMPILER}") from error


setup(
    ext_modules=[
        Pybind11Extension(
            "visionbias._C",
            sorted(glob("csrc/cpu/*.cpp")),
            include_dirs=["csrc"],
            depends=sorted(glob("csrc/**/*.h", recursive=True)),
            cxx_std=17,
            extra_compile_args=["-O3"],
        )
    ],
    cmdclass={"build_ext": BuildEngine},
)
