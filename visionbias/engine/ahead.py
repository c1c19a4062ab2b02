# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a GPU need not wait for: the next stimuli are made, and the last results fetched, while models see others."""

from collections.abc import Iterator
from typing import TypeVar

import torch

T = TypeVar("T")


def turns(device_type: str) -> int:
    """How many buffers take turns where `one_ahead` makes the steps: one is written while the other is read."""
    return 2 if device_type == "cuda" else 1


def one_behind(results: Iterator[T], device: torch.device) -> Iterator[T]:
    """The results in their order; on a GPU each when the next was begun, so that to wait for one holds up no other."""
    if device.type != "cuda":
        yield from results
        return
    before = next(results, None)
    while before is not None:
        try:
            begun = next(results, None)
        except BaseException:
            yield before  # it was whole before the next one failed
            raise
        yield before
        before = begun


def one_ahead(steps: Iterator[T], device: torch.device) -> Iterator[T]:
    """The steps in their order; on a GPU each is made on a second stream while the one before is in use.

    Making a step may write to all but what the step before holds.
    """
    if device.type != "cuda":
        yield from steps
        return
    main, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def make() -> tuple[T, torch.cuda.Event] | None:
        # What the last step but one holds was read then. No tensor needs record_stream for the same reason: memory that
        # was let go before is written again only after this.
        side.wait_stream(main)
        with torch.cuda.stream(side):
            step = next(steps, None)
            return None if step is None else (step, side.record_event())

    try:
        made = make()
        while made is not None:
            step, ready = made
            main.wait_event(ready)
            made = make()
            yield step
    finally:
        main.wait_stream(side)
