# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backend was measured to be the fastest, by op, generation of GPU and size of images.

fastest.json holds it: `python -m benchmarks.fastest` makes it of the results in benchmarks/results.
"""

import json
from functools import cache
from pathlib import Path

import torch

TABLE = Path(__file__).with_name("fastest.json")


def size_class(side: int) -> int:
    """Images share a measurement up to the next power of two of their longer side."""
    return 1 << (side - 1).bit_length()


@cache
def _table() -> dict[tuple[str, int, int], str]:
    rows = json.loads(TABLE.read_text())
    return {(row["op"], row["generation"], row["size_class"]): row["backend"] for row in rows}


def fastest(op: str, device: torch.device, height: int, width: int) -> str | None:
    """The fastest backend for images on a device; None on a CPU, and where nothing was measured."""
    if device.type != "cuda" or not _table():
        return None
    generation, _ = torch.cuda.get_device_capability(device)
    return _table().get((op, generation, size_class(max(height, width))))
