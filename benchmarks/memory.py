# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a part of a benchmark takes, in a process of its own."""

import subprocess
import sys

from benchmarks.machine import ROOT

_PEAK = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"

# Every hundredth of a second: the system keeps no peaks of it.
_WATCHED = """
import re, threading, time
from pathlib import Path
_taken = []
def _watch():
    while True:
        _taken.append(int(re.search(r"RssAnon:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
        time.sleep(0.01)
threading.Thread(target=_watch, daemon=True).start()
"""
_CURVE = """
_taken = _taken[:]
_ends = [len(_taken) * part // {parts} for part in range({parts} + 1)]
print(*(max(_taken[start:end]) for start, end in zip(_ends, _ends[1:])))
"""


def peak_bytes(code: str, *arguments: str) -> int:
    """At most while Python runs some lines, which find the arguments in `sys.argv[1:]`."""
    return _numbers(code + _PEAK, *arguments)[0]


def memory_curve(code: str, *arguments: str, parts: int) -> list[int]:
    """At most in each of so many equal parts of the time that the lines take, in bytes, without pages of files that are
    mapped, which the system takes back when it needs them. On Linux.
    """
    return _numbers(_WATCHED + code + _CURVE.format(parts=parts), *arguments)


def _numbers(code: str, *arguments: str) -> list[int]:
    """Of the last line that is printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.splitlines()[-1].split()]
