# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where published weights are on this machine, and how they get there."""

import hashlib
import re
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

from visionbias.errors import CheckpointError
from visionbias.runtime.durable import write_file

State = Literal["cached", "needs download", "dead link", "unknown source"]

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_TIMEOUT_S = 60.0  # of one answer of the server, not of the download


def torch_hub_file(url: str) -> Path | None:
    """The file that PyTorch's hub keeps for a URL, if it is there."""
    import torch.hub

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    return path if path.is_file() else None


def cached_hf_file(
    repo: str,  # "owner/name" or "owner/name@revision"
    filename: str,  # as published; a safetensors file beside it is taken first
) -> Path | None:
    """The weight file of a Hugging Face repository in the local cache. Opens no socket."""
    from huggingface_hub import try_to_load_from_cache

    name, _, revision = repo.partition("@")
    for candidate in _candidates(filename):
        found = try_to_load_from_cache(name, candidate, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None


def fetch_hf_file(repo: str, filename: str) -> Path:
    """Download the weight file of a Hugging Face repository into the local cache.

    Raises:
        Exception: whatever the hub's client raises: no network, no such file, a full disk.
    """
    from huggingface_hub import file_exists, hf_hub_download

    name, _, revision = repo.partition("@")
    # file_exists fails at once where there is no network; hf_hub_download would retry for half a minute.
    for candidate in _candidates(filename):
        if file_exists(name, candidate, revision=revision or None):
            return Path(hf_hub_download(name, candidate, revision=revision or None))
    raise FileNotFoundError(f"{repo} on the Hugging Face hub has none of {', '.join(_candidates(filename))}")


def file_state(link: str | None, path: Path) -> State:
    """Whether a file that is kept at `path` is there, and else whether it can be fetched. Opens no socket."""
    if path.is_file():
        return "cached"
    if link is None:
        return "unknown source"
    return "dead link" if _beside(path, ".dead").is_file() else "needs download"


def cached_file(path: Path) -> bool:
    """Whether the file is there and, by the sha256 recorded when it came, what it was; the first time, record it.

    Raises:
        CheckpointError: it has changed, or cannot be read.
    """
    if not path.is_file():
        return False
    try:
        got = hashlib.sha256(path.read_bytes()).hexdigest()
        compare_with_first(
            _beside(path, ".sha256"), got, path.name, f"{path} has changed since: delete it, and it is fetched again"
        )
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the weight file: {error.strerror or error}") from error
    return True


def fetch_file(link: str | None, path: Path, *, offline: bool) -> None:
    """Download a file to `path`, whole or not at all, and record its sha256 beside it.

    Raises:
        CheckpointError: it cannot be had, is a web page, or has another sha256 than its link or an older download says.
    """
    put = f"put the file at {path}"
    if link is None:
        raise CheckpointError(f"its weights are not on this machine and no source of them is known; {put}")
    if offline:
        raise CheckpointError(f"its weights are not on this machine and offline=True forbids the download; {put}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(link, timeout=_TIMEOUT_S) as answer:
            content = answer.read()
    except HTTPError as error:
        reason = f"{error.code} {error.reason}"
        if error.code not in _GONE:
            raise CheckpointError(f"the server refuses {link} ({reason}); try later or {put}") from error
        write_file(_beside(path, ".dead"), f"{link} {reason}\n".encode())
        raise CheckpointError(f"the link {link} is dead ({reason}); {put}") from error
    except (OSError, HTTPException) as error:  # no network, no answer, a connection that breaks off, a full disk
        raise CheckpointError(f"the download of {link} failed ({error}); try later or {put}") from error
    if content[:64].lstrip()[:1] in (b"<", b""):
        raise CheckpointError(f"the link {link} leads to a web page, perhaps as its quota is spent; try later or {put}")
    got = hashlib.sha256(content).hexdigest()
    named = re.search(r"-([0-9a-f]{8,})\.", Path(urlparse(link).path).name)  # PyTorch's way to name weights
    if named and not got.startswith(named[1]):
        raise CheckpointError(f"the file at {link} has not the sha256 {named[1]}... of its name; try again or {put}")
    otherwise = f"the file at {link} is another one than was there before: {put}"
    compare_with_first(_beside(path, ".sha256"), got, path.name, otherwise)
    write_file(path, content)
    _beside(path, ".dead").unlink(missing_ok=True)


def compare_with_first(
    record: Path,  # holds the sha256 of the first time, if it is there
    got: str,  # the sha256 of now
    named: str,  # what it is of
    otherwise: str,  # what to do where they differ
) -> None:
    """Record a sha256 the first time, and later check that it is the same.

    Raises:
        CheckpointError: it is another.
        OSError: the record cannot be written or read.
    """
    if not record.is_file():
        record.parent.mkdir(parents=True, exist_ok=True)
        write_file(record, f"{got}  {named}\n".encode())
    elif not record.read_text(errors="replace").startswith(got):
        raise CheckpointError(
            f"{record} wants another sha256 than {got}; {otherwise}, or delete the record to trust it"
        )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def not_available(name: str, reason: str) -> CheckpointError:
    """The one error for weights that are not here and cannot be fetched."""
    family, _, arch = name.partition(":")
    wanted = repr(arch) if family == "timm" else repr(name)
    return CheckpointError(
        f"{name}: its weights are not on this machine and {reason}; use a file you have: "
        f"Checkpoint('weights.safetensors', arch={wanted})"
    )


def _candidates(filename: str) -> list[str]:
    safe = "model.safetensors" if filename == "pytorch_model.bin" else str(Path(filename).with_suffix(".safetensors"))
    return list(dict.fromkeys([safe, filename]))
