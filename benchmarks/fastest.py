# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Tell the package which backend is the fastest on which GPU, by results/*.jsonl: python -m benchmarks.fastest"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS
from visionbias.ops.band_noise.function import OP as BAND_NOISE
from visionbias.ops.fastest import TABLE, size_class
from visionbias.ops.filter_bank.plan import OP as FILTER_BANK
from visionbias.ops.spectrum_mix.kernels import OP as SPECTRUM_MIX
from visionbias.runtime.dispatch import BY_NAME, Op

OPS: dict[str, Op[Any, Any]] = {"filter_bank": FILTER_BANK, "band_noise": BAND_NOISE, "spectrum_mix": SPECTRUM_MIX}
EXACT = {
    op: {name for name, impl in table.impls.items() if impl.why != BY_NAME or not impl.on_request}
    for op, table in OPS.items()
}


def fastest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fastest of an op's exact backends by generation and size; torch, unless another one wins in every dtype.

    Of each of them the latest commit counts, and only where torch was measured beside the others.
    """
    latest: dict[tuple[str, int, int], dict[str, dict[str, dict[str, float]]]] = {}
    for row in rows:
        if row.get("generation") is None or row["backend"] not in EXACT.get(row["op"], ()):
            continue
        commits = latest.setdefault((row["op"], row["generation"], size_class(row["side"])), {})
        commit = commits.pop(row["commit"], {})
        commit.setdefault(row["dtype"], {})[row["backend"]] = row["median_s"]
        commits[row["commit"]] = commit  # last
    table = []
    for (op, generation, size), commits in sorted(latest.items()):
        medians = list(commits.values())[-1].values()
        if all("torch" in backends for backends in medians):
            winners = {min(backends, key=backends.__getitem__) for backends in medians}
            backend = winners.pop() if len(winners) == 1 else "torch"
            table.append({"op": op, "generation": generation, "size_class": size, "backend": backend})
    return table


def results(folder: Path) -> list[dict[str, Any]]:
    """All rows, those of a file in the order in which they were measured."""
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    TABLE.write_text(json.dumps(fastest(results(RESULTS)), indent=2) + "\n")
