# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Published sets of which something is missing: refused, or marked."""

from collections.abc import Sequence
from pathlib import Path

from visionbias.errors import DataError

PARTIAL = "[partial]"  # ends the name of a set that is not whole, and of every benchmark's number that comes from it

_LISTED = 8


def mark_partial(
    name: str,
    root: Path,
    what: str,  # such as "ImageNet-Sketch (<WordNet id>/<image>)"
    differences: Sequence[str],  # from what is published
    allow_partial: bool,
) -> str:
    """The name of a set, marked where the set is not whole.

    Raises:
        DataError: it is not whole, and that is not allowed.
    """
    if differences and not allow_partial:
        more = [f"{len(differences) - _LISTED} more"] if len(differences) > _LISTED else []
        named = "\n".join(f"  {line}" for line in (*differences[:_LISTED], *more))
        raise DataError(
            f"{root} is not the whole of {what}; complete it, or measure what is there, marked {PARTIAL} wherever "
            f"its numbers are shown, by allow_partial=True:\n{named}"
        )
    return f"{name}{PARTIAL}" if differences else name
