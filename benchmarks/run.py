# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Check, then time, then append one JSON line a contender to results/<op>.jsonl. No number without a green check.

On a GPU the ops are timed unless others are named, and the tests of the GPU run before: all that is needed is a
checkout, torch, NumPy and pytest, and Triton and CuPy for their backends.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import RESULTS, ROOT, commit, device_name, generation, versions
from benchmarks.registry import MODULES, OPS, Case, load
from benchmarks.timing import copy_bandwidth, first_call, interleaved

GPU_TESTS = (
    "tests/ops/cuda/test_on_gpu.py",
    "tests/ops/cuda/test_sanitized.py",
    "tests/ops/filter_bank/test_triton.py",
)
TESTS_S = 300  # seconds at most for them


def measure(
    case: Case, device: str, repeats: int, bandwidth: float, commit: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A row a contender; and of those that are not timed, because their check fails, why."""
    first, errors, failures = {}, {}, {}
    for name, contender in case.contenders.items():
        try:
            first[name] = first_call(contender, device)
            errors[name] = case.check(name)
        except Exception as error:  # whatever ails one, the others are timed
            failures[name] = f"{type(error).__name__}: {error}"
    if not errors:
        return [], failures
    timings = interleaved({name: case.contenders[name] for name in errors}, repeats, device)
    parts = {name: case.parts.get(name, 1.0) for name in timings}
    rows = [
        {
            "op": case.op,
            "backend": name,
            "shape": case.shape,
            "side": case.side,
            "dtype": case.dtype,
            "unit": f"{case.unit}/s",
            "work": case.work * parts[name],
            "rate": round(case.work * parts[name] / timing.median, 1),
            "median_s": round(timing.median, 9),
            "best_s": round(timing.best, 9),
            "spread": round(timing.spread, 4),
            "repeats": repeats,
            "first_s": round(first[name].seconds, 6),
            "peak_bytes": first[name].peak_bytes,
            "copy_fraction": round(case.bytes_moved * parts[name] / timing.median / bandwidth, 4),
            "error": errors[name],
            "notes": {key: round(value, 4) for key, value in case.notes.items()},
            "device": device_name(device),
            "generation": generation(device),
            "versions": versions(device),
            "commit": commit,
        }
        for name, timing in timings.items()
    ]
    return rows, failures


def gpu_tests_pass() -> bool:
    """Whether the tests that need a GPU pass, memory and races by compute-sanitizer among them; their files at once."""
    end = time.monotonic() + TESTS_S
    pytest = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"]
    running = [
        subprocess.Popen([*pytest, file], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for file in GPU_TESTS
    ]
    passed = True
    for file, tests in zip(GPU_TESTS, running, strict=True):
        try:
            said, _ = tests.communicate(timeout=max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            tests.kill()
            said = f"{tests.communicate()[0]}\nstopped after {TESTS_S} s"
        print(f"{file}\n{said}", flush=True)
        passed = passed and tests.returncode == 0
    return passed


def write(rows: list[dict[str, Any]], folder: Path) -> None:
    """Append rows to the file of their op."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        with (folder / f"{row['op']}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]], floors: Mapping[str, float]) -> str:
    """Rows for people; the ratio is the best rate of the first row over that of a peer, beside its floor if any."""
    notes = "".join(f"  {name} {value:g}" for name, value in rows[0]["notes"].items())
    lines = [f"{rows[0]['op']}  {rows[0]['shape']} -> {rows[0]['dtype']}  on {rows[0]['device']}{notes}"]
    for row in rows:
        ratio = (row["best_s"] / row["work"]) / (rows[0]["best_s"] / rows[0]["work"])
        floor = floors.get(row["backend"])
        verdict = "" if floor is None else f"  ({'reaches' if ratio >= floor else 'MISSES'} {floor:.2f})"
        lines.append(
            f"  {row['backend']:<36}{row['rate']:>10.1f} {row['unit']}  spread {row['spread']:>6.1%}  "
            f"copy {row['copy_fraction']:>6.1%}  error {row['error']:.1e}  {ratio:>6.2f}x the time{verdict}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, or all; 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*MODULES, []], metavar="name", help=f"of {', '.join(MODULES)}; default all"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of each contender, at least 5")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON lines")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    measured = commit()  # before the code can change under a long measurement
    on_gpu = chosen.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        parser.error(f"there is no {chosen.device} here, or this torch is built for the CPU alone")
    failed = on_gpu and not chosen.names and not gpu_tests_pass()
    names = chosen.names or (OPS if on_gpu else MODULES)
    bandwidth = copy_bandwidth(chosen.device)
    for name, cases in load(names).items():
        for case in cases(chosen.device):
            rows, failures = measure(case, chosen.device, chosen.repeats, bandwidth, measured)
            for contender, why in failures.items():
                print(f"{name} -> {case.dtype}: {contender} is not timed, its check failed: {why}", file=sys.stderr)
            failed = failed or bool(failures)
            write(rows, chosen.results)
            if rows:
                print(table(rows, case.floors), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
