# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Published generalization benchmarks, read from their official layout and held against their official counts."""

from visionbias.datasets.benchmarks.benchmark import Benchmark, v2_variants
from visionbias.datasets.benchmarks.collection import ListedSet, list_benchmarks
from visionbias.datasets.benchmarks.descriptions import BENCHMARKS, C15, C19, SEVERITIES
from visionbias.datasets.partial import PARTIAL

__all__ = [
    "BENCHMARKS",
    "C15",
    "C19",
    "PARTIAL",
    "SEVERITIES",
    "Benchmark",
    "ListedSet",
    "list_benchmarks",
    "v2_variants",
]
