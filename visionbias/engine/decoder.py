# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which decoder a run uses: where the study leaves it open, the one that its folder was begun with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionbias.decode.cache import Decode, decoder_name
from visionbias.decode.dali import DISTRIBUTIONS
from visionbias.errors import BackendError
from visionbias.types import Preprocessing

_INSTALL = {"dali": " or ".join(DISTRIBUTIONS), "pillow": "pillow"}


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
    kind = next((kind for kind in _INSTALL if begun and begun.startswith(f"{kind}-")), None)
    if decode != "auto" or begun is None or kind is None:
        return decode
    try:
        here = decoder_name(kind)
    except BackendError:
        here = "none"
    if here != begun:
        raise BackendError(
            f"{folder}: the run was begun with the decoder {begun}, here is {here}; install version "
            f"{begun.split('-')[1]} of {_INSTALL[kind]}, or begin another folder (--out), where decode = 'pillow' "
            "does not depend on what is installed"
        )
    return "dali" if kind == "dali" else "pillow"
