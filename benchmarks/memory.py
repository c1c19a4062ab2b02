# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a part of a benchmark takes, in a process of its own."""

import subprocess
import sys

from benchmarks.machine import ROOT

_PEAK = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"

# Every hundredth of a second: the system keeps no peak of it.
_WATCHED = """
import re, threading, time
from pathlib import Path
_seen = [0]
def _watch():
    while True:
        _seen[0] = max(_seen[0], int(re.search(r"RssAnon:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]))
        time.sleep(0.01)
threading.Thread(target=_watch, daemon=True).start()
"""


def peak_bytes(code: str, *arguments: str) -> int:
    """At most while Python runs some lines, which find the arguments in `sys.argv[1:]`."""
    return _last_number(code + _PEAK, *arguments)


def own_peak_bytes(code: str, *arguments: str) -> int:
    """The same without pages of files that are mapped, which the system takes back when it needs them. On Linux."""
    return _last_number(_WATCHED + code + "\nprint(_seen[0] * 1024)", *arguments)


def _last_number(code: str, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])
