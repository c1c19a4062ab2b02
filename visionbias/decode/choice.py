# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The decoders that there are, what each is called, and how one is made."""

from typing import Literal, get_args

from visionbias.decode.dali import DaliDecoder, Device
from visionbias.decode.pillow import PillowDecoder, available_threads
from visionbias.types import Preprocessing

Kind = Literal["dali", "dali-mixed", "pillow"]
Decode = Literal["auto", "dali", "dali-mixed", "pillow"]
Decoder = DaliDecoder | PillowDecoder

DECODES: tuple[Decode, ...] = get_args(Decode)
ONLY_ONCE = "decode='dali-mixed' decodes once, for no GPU promises the same pixels the next time"
_DEVICES: dict[Kind, Device] = {"dali": "cpu", "dali-mixed": "mixed"}


def decoder_name(kind: Kind) -> str:
    """Decoder and version, such as "dali-2.4.0-cpu" or "pillow-13.0.0", as it stands in manifests.

    Raises:
        BackendError: DALI is not installed.
    """
    if kind == "pillow":
        return PillowDecoder.name()
    return DaliDecoder.name(_DEVICES[kind])


def kind_of(name: str) -> Kind | None:
    """The decoder of a name that `decoder_name` once gave, whatever its version."""
    if name.startswith("dali-"):
        return "dali-mixed" if name.endswith("-mixed") else "dali"
    return "pillow" if name.startswith("pillow-") else None


def new_decoder(kind: Kind, preprocessing: Preprocessing, gpu: int) -> Decoder:
    """A decoder on all CPUs that this process has; `gpu` is where "dali-mixed" decodes.

    Raises:
        BackendError: DALI or its GPU is not there, or it does not serve this preprocessing.
    """
    threads = available_threads()
    if kind == "pillow":
        return PillowDecoder(preprocessing, threads)
    return DaliDecoder(preprocessing, batch_size(), threads, _DEVICES[kind], gpu)


def batch_size() -> int:
    """Images decoded together."""
    return max(64, 4 * available_threads())
