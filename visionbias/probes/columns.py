# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Columns that probes give to the summary."""


def with_interval(name: str, value: float, interval: tuple[float, float]) -> dict[str, float]:
    """A number, and the ends of its interval."""
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}
