# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Weight files of an architecture, from seeds."""

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file


def save_checkpoints(folder: Path, arch: str, n: int) -> list[Path]:
    """Write n files of random weights for the four classes of the benchmarks' pictures."""
    paths = [folder / f"{arch}-{seed}.safetensors" for seed in range(n)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        save_file(timm.create_model(arch, num_classes=4).state_dict(), path)
    return paths
