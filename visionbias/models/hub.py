# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where published weights are on this machine, and how they get there."""

from pathlib import Path
from urllib.parse import urlparse

from visionbias.errors import CheckpointError


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
