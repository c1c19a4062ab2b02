# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which decoder a run uses: where the study leaves it open, the one that its folder was begun with."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from visionbias.decode.choice import ONLY_ONCE, Decode, decoder_name, kind_of, new_decoder
from visionbias.decode.dali import DISTRIBUTIONS
from visionbias.errors import BackendError, RunError
from visionbias.types import Preprocessing

if TYPE_CHECKING:
    from visionbias.engine.study import Study


def begun_with(
    found: Mapping[str, Any] | None,  # study of a run folder's manifest
    data: str,
    preprocessing: Preprocessing,
) -> str | None:
    """The decoder, such as "dali-2.4.0-cpu", that made the crops of a data set for one preprocessing, if any."""
    views = found["data"].get(data, {"models": {}})["models"].values() if found else ()
    return next((view.get("decoder") for view in views if view["preprocessing"] == preprocessing.as_dict()), None)


def settled(
    decode: Decode,  # as the study has it
    begun: str | None,  # what `begun_with` found
    folder: Path,
) -> Decode:
    """The decoder to use: `decode`, but for "auto" the one that a run was begun with.

    Raises:
        BackendError: that one is not here; says how to install it.
    """
    kind = kind_of(begun or "")
    if decode != "auto" or begun is None or kind is None:
        return decode
    try:
        here = decoder_name(kind)
    except BackendError:
        here = "none"
    if here != begun:
        package = "pillow" if kind == "pillow" else " or ".join(DISTRIBUTIONS)
        raise BackendError(
            f"{folder}: the run was begun with the decoder {begun}, here is {here}; install version "
            f"{begun.split('-')[1]} of {package}, or begin another folder (--out); with decode = 'pillow' "
            "a run does not depend on DALI"
        )
    return kind


def gpu_of(device: torch.device) -> int:
    """Index of the GPU on which "dali-mixed" decodes: that of the models, else the first."""
    return device.index or 0


def check_gpu_decoder(study: "Study", found: Mapping[str, Any] | None, device: torch.device) -> None:
    """Pass unless crops are to be decoded on a GPU, by the study or by the run that `found` describes, and cannot be.

    Raises:
        BackendError: DALI or its GPU is not there.
        RunError: crops are never to be kept.
    """
    views = [view for data in found["data"].values() for view in data["models"].values()] if found else []
    begun = any(kind_of(str(view.get("decoder"))) == "dali-mixed" for view in views)
    if study.decode != "dali-mixed" and not (study.decode == "auto" and begun):
        return
    if study.cache_bytes == 0:
        raise RunError(f"{ONLY_ONCE}; got cache_bytes=0; keep the crops, or use decode='dali' or 'pillow'")
    new_decoder("dali-mixed", Preprocessing(), gpu_of(device)).close()
