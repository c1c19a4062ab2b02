# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The support table of this machine: which backend of which op serves which device, and why another does not."""

from dataclasses import astuple, dataclass

import torch

from visionbias.ops.band_noise.function import OP as BAND_NOISE
from visionbias.ops.band_noise.spec import Spec as BandNoise
from visionbias.ops.desaturate.function import OP as DESATURATE
from visionbias.ops.filter_bank.bands import lowpass
from visionbias.ops.filter_bank.plan import OP as FILTER_BANK
from visionbias.ops.filter_bank.spec import Spec as FilterBank
from visionbias.ops.normalize.function import OP as NORMALIZE
from visionbias.ops.normalize.spec import Spec as Normalize
from visionbias.ops.output import Output
from visionbias.ops.patch_shuffle.function import OP as PATCH_SHUFFLE
from visionbias.ops.philox.normals import OP as UNIT_NORMALS
from visionbias.ops.philox.spec import Spec as UnitNormals
from visionbias.ops.silhouette.function import OP as SILHOUETTE
from visionbias.ops.spectrum_mix.kernels import OP as SPECTRUM_MIX
from visionbias.ops.spectrum_mix.spec import Spec as SpectrumMix
from visionbias.runtime.dispatch import Use

_SIDE = 224
_GREY = (0.5,) * 3
_U8, _F16 = torch.uint8, torch.float16


@dataclass(frozen=True, slots=True)
class Support:
    """One backend of one op on one device."""

    op: str
    device: str
    backend: str
    use: Use  # "auto": backend="auto" takes it; "by name": it serves who asks for it; "refuses"
    reason: str  # why auto does not take it


class SupportTable(tuple[Support, ...]):
    """Rows of `Support`; printed as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        rows = [("op", "device", "backend", "use", "reason"), *map(astuple, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    __repr__ = __str__


def backends() -> SupportTable:
    """Which backends this machine has for u8 images of 224 x 224 made float16, op by op and device by device.

    Other sizes and dtypes can be served by other backends; a call whose backend cannot serve it says why.
    """
    gpus = (torch.device("cuda", i) for i in range(torch.cuda.device_count()))
    return SupportTable(
        Support(op, str(device), backend, use, reason)
        for device in (torch.device("cpu"), *gpus)
        for op, backends_of in _on(device).items()
        for backend, (use, reason) in backends_of.items()
    )


def _on(device: torch.device) -> dict[str, dict[str, tuple[Use, str]]]:
    output = Output(_GREY, _GREY, _F16, device)
    return {
        "filter_bank": FILTER_BANK.support(
            FilterBank((lowpass(0.5),), _SIDE, _SIDE, _GREY, _GREY, _U8, _F16, device),
        ),
        "band_noise": BAND_NOISE.support(BandNoise(tuple(range(7)), (0.1,), _SIDE, _SIDE, 0.2, 0.4, _U8, output)),
        "spectrum_mix": SPECTRUM_MIX.support(SpectrumMix(_SIDE, _SIDE, _U8, output)),
        "normalize": NORMALIZE.support(Normalize(_GREY, _GREY, _U8, _F16, device, x_rows=True, out_rows=True)),
        "unit_normals": UNIT_NORMALS.support(UnitNormals(0, 0, _SIDE * _SIDE, device)),
        **{op.name: op.support(output) for op in (PATCH_SHUFFLE, SILHOUETTE, DESATURATE)},
    }
