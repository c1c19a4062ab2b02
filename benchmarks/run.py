# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Check, then time, then append one JSON line a contender to results/<op>.jsonl. No number without a green check."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, commit, device_name, versions
from benchmarks.registry import Case, load
from benchmarks.timing import copy_bandwidth, interleaved

RESULTS = ROOT / "benchmarks" / "results"


def measure(case: Case, device: str, repeats: int, bandwidth: float) -> list[dict[str, Any]]:
    """A row a contender.

    Raises:
        AssertionError: a contender computes something else; nothing is timed.
    """
    errors = {name: case.check(name) for name in case.contenders}
    timings = interleaved(case.contenders, repeats, device)
    return [
        {
            "op": case.op,
            "backend": name,
            "shape": case.shape,
            "dtype": case.dtype,
            "unit": f"{case.unit}/s",
            "rate": round(case.work / timing.median, 1),
            "median_s": round(timing.median, 9),
            "best_s": round(timing.best, 9),
            "spread": round(timing.spread, 4),
            "repeats": repeats,
            "copy_fraction": round(case.bytes_moved / timing.median / bandwidth, 4),
            "error": errors[name],
            "device": device_name(device),
            "versions": versions(),
            "commit": commit(),
        }
        for name, timing in timings.items()
    ]


def write(rows: list[dict[str, Any]], folder: Path) -> None:
    """Append rows to the file of their op."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        with (folder / f"{row['op']}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]], floors: Mapping[str, float]) -> str:
    """Rows for people; the ratio is the best time of a peer over that of the first row, beside its floor if any."""
    lines = [f"{rows[0]['op']}  {rows[0]['shape']} -> {rows[0]['dtype']}  on {rows[0]['device']}"]
    for row in rows:
        ratio = row["best_s"] / rows[0]["best_s"]
        floor = floors.get(row["backend"])
        verdict = "" if floor is None else f"  ({'reaches' if ratio >= floor else 'MISSES'} {floor:.2f})"
        lines.append(
            f"  {row['backend']:<36}{row['rate']:>10.1f} {row['unit']}  spread {row['spread']:>6.1%}  "
            f"copy {row['copy_fraction']:>6.1%}  error {row['error']:.1e}  {ratio:>6.2f}x the time{verdict}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, or all; 1 if a check fails."""
    known = load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*known, []], metavar="name", help=f"of {', '.join(known)}; default all"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of each contender, at least 5")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON lines")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    bandwidth = copy_bandwidth(chosen.device)
    failed = False
    for name in chosen.names or known:
        for case in known[name](chosen.device):
            try:
                rows = measure(case, chosen.device, chosen.repeats, bandwidth)
            except AssertionError as error:
                print(f"{case.op} -> {case.dtype}: not timed, a check failed: {error}", file=sys.stderr)
                failed = True
                continue
            write(rows, chosen.results)
            print(table(rows, case.floors), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
