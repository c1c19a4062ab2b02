# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every kernel compiles for every generation of GPU, with no spill and no more registers than resources.json says.

NVRTC needs no GPU. Compilers of another version may choose other numbers of registers, so those are held to by the
version that wrote the table; `python tests/ops/cuda/test_compile.py` writes it.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visionbias.ops.band_noise.cuda import program as band_noise
from visionbias.ops.philox.cuda import PROGRAM as NORMALS
from visionbias.ops.spectrum_mix.cuda import program as spectrum_mix

TABLE = Path(__file__).with_name("resources.json")
BLOCK_BYTES = {"sm_80": 166912, "sm_90": 232448, "sm_100": 232448}  # of shared memory
METHODS = ("PhaseSwapBoth", "RandomPhase", "PhaseNoise", "PowerEqualize")

# (name, architecture, program)
CASES = [
    *(("unit_normals", arch, NORMALS) for arch in BLOCK_BYTES),
    *(("band_noise 224x224", arch, band_noise(224, 224)) for arch in BLOCK_BYTES),
    *(
        (f"PhaseSwap 224x224 {panels}", arch, spectrum_mix("PhaseSwap", 224, 224, panels))
        for arch, panels in (("sm_80", 2), ("sm_90", 1), ("sm_100", 1))
    ),
    *((f"{method} 224x224 1", "sm_90", spectrum_mix(method, 224, 224, 1)) for method in METHODS),
]


def bindings():
    """NVRTC's, which torch's wheels for CUDA 13 bring along."""
    return pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is not installed")


def compiled(arch, program):
    """What the compiler says of each kernel: {name: (registers, spilled bytes, stack bytes)}."""
    nvrtc = pytest.importorskip(
        "cuda.bindings.nvrtc", reason="cuda-bindings, which brings NVRTC with torch, is missing"
    )

    def done(result):
        return result[1:] if result[0] == nvrtc.nvrtcResult.NVRTC_SUCCESS else pytest.fail(str(result[0]))

    options = [*program.flags(), f"--gpu-architecture={arch}", "-ftz=true", "--ptxas-options=-v", "--no-cache"]
    (handle,) = done(nvrtc.nvrtcCreateProgram(program.path.read_bytes(), program.file.encode(), 0, [], []))
    status = nvrtc.nvrtcCompileProgram(handle, len(options), [option.encode() for option in options])[0]
    log = b" " * done(nvrtc.nvrtcGetProgramLogSize(handle))[0]
    done(nvrtc.nvrtcGetProgramLog(handle, log))
    nvrtc.nvrtcDestroyProgram(handle)
    text = log.decode()
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, text
    found = {}
    for part in text.split("Compiling entry function '")[1:]:
        stack, stored, loaded = map(
            int, re.search(r"(\d+) bytes stack.* (\d+) bytes spill.* (\d+) bytes", part).groups()
        )
        found[part.split("'")[0]] = (int(re.search(r"Used (\d+) reg", part)[1]), stored + loaded, stack)
    return found


def version():
    nvrtc = pytest.importorskip(
        "cuda.bindings.nvrtc", reason="cuda-bindings, which brings NVRTC with torch, is missing"
    )
    try:
        return "{1}.{2}".format(*nvrtc.nvrtcVersion())
    except Exception as error:  # of the loader, which has several
        pytest.skip(f"NVRTC cannot be loaded: {error}")


@pytest.fixture(scope="module")
def reports():
    """Of all cases, two at a time."""
    version()
    with ThreadPoolExecutor(2) as pool:
        return dict(zip([case[:2] for case in CASES], pool.map(lambda case: compiled(*case[1:]), CASES), strict=True))


@pytest.mark.parametrize(("name", "arch", "program"), CASES, ids=lambda part: part if isinstance(part, str) else "")
def test_no_spill_and_no_more_registers_or_memory_than_the_table_says(reports, name, arch, program):
    table = json.loads(TABLE.read_text())
    row = table["kernels"][name][arch]
    assert program.shared == row["shared"] <= BLOCK_BYTES[arch]
    report = reports[name, arch]
    assert report.keys() == row["registers"].keys()
    for kernel, (registers, spilled, stack) in report.items():
        assert spilled == 0, f"{kernel} spills {spilled} bytes"
        assert stack == 0, f"{kernel} has an array of {stack} bytes in local memory"
        if version() == table["nvrtc"]:
            assert registers <= row["registers"][kernel]


if __name__ == "__main__":
    kernels = {}
    for name, arch, program in CASES:
        registers = {kernel: numbers[0] for kernel, numbers in compiled(arch, program).items()}
        kernels.setdefault(name, {})[arch] = {"shared": program.shared, "registers": registers}
    TABLE.write_text(json.dumps({"nvrtc": version(), "kernels": kernels}, indent=2) + "\n")
