# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Many band-pass filters of the same images, clipped, normalized and cast: one forward transform for all of them.

The function and the Module load on first use: bands can be named where there is no torch.
"""

from typing import TYPE_CHECKING, Any

from visionbias.ops.filter_bank.bands import Band, bandpass, highpass, lowpass, octave

if TYPE_CHECKING:
    from visionbias.ops.filter_bank.bank import FilterBank, filter_bank

__all__ = ["Band", "FilterBank", "bandpass", "filter_bank", "highpass", "lowpass", "octave"]


def __getattr__(name: str) -> Any:
    if name not in ("FilterBank", "filter_bank"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from visionbias.ops.filter_bank import bank

    return getattr(bank, name)
