# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a part of a benchmark takes, in a process of its own."""

import subprocess
import sys

from benchmarks.machine import ROOT

_PEAK = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def peak_gib(code: str, *arguments: str) -> float:
    """At most while Python runs some lines, which find the arguments in `sys.argv[1:]`."""
    command = [sys.executable, "-c", code + _PEAK, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 2**20
