# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engine adds to the forward passes: a whole run against a bare loop on tensors that are ready."""

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import visionbias as vb
from benchmarks.registry import Case, benchmark

ARCHITECTURES = ("resnet50", "resnet18")
PROBES = (vb.Accuracy(), vb.SpectralBias())
CONDITIONS = 23
BARE = "peer: bare forward on ready tensors"
FLOOR = 0.90  # share of the bare loop's speed that a whole run must reach, loading included


@benchmark("engine")
def cases(device: str, n: int = 32, size: int = 224) -> Iterator[Case]:
    """One case an architecture, float32; the engine loads the weights, and finds the crops in the cache."""
    folder = Path(tempfile.mkdtemp(prefix="visionbias-engine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_images(folder / "images", n)
    for arch in ARCHITECTURES:
        yield _case(arch, device, n, size, folder)


def _case(arch: str, device: str, n: int, size: int, folder: Path) -> Case:
    torch.manual_seed(0)
    weights = folder / f"{arch}.safetensors"
    model = timm.create_model(arch, num_classes=4).eval()
    save_file(model.state_dict(), weights)
    model = model.to(device, memory_format=torch.channels_last)
    shown = {"device": device, "preprocessing": vb.Preprocessing(resize=size * 8 // 7, crop=size)}
    scale = vb.Normalization(model.pretrained_cfg["mean"], model.pretrained_cfg["std"])

    def stimuli() -> Iterator[vb.StimulusBatch]:
        return vb.stimuli(folder / "images", PROBES, batch_size=n, normalization=scale, **shown)

    ready = [batch.images for batch in stimuli()]

    def engine() -> vb.Run:
        study = vb.Study([vb.Checkpoint(weights, arch=arch)], folder / "images", PROBES, forward_batch=n, **shown)
        return study.run(folder / uuid.uuid4().hex, progress=False)

    @torch.inference_mode()
    def bare() -> list[Tensor]:
        return [model(x).softmax(dim=1) for x in ready]

    def check(_: str) -> float:
        frame = engine().records().to_table().to_pandas().set_index(["condition", "sample_id"])["p_label"]
        error = 0.0
        for batch, p in zip(stimuli(), bare(), strict=True):
            own = p.gather(1, batch.labels[:, None])[:, 0].cpu().numpy()
            error = max(error, np.abs(frame[batch.condition].loc[list(batch.sample_ids)].to_numpy() - own).max())
        assert error < 1e-5, f"the engine's probabilities are off by {error}"
        return float(error)

    return Case(
        op="engine",
        shape=f"{arch}, {CONDITIONS} conditions x [{n}, 3, {size}, {size}]",
        dtype="float32",
        unit="images",
        work=CONDITIONS * n,
        bytes_moved=sum(x.nbytes for x in ready) + sum(p.nbytes for p in model.parameters()),
        contenders={"engine": engine, BARE: bare},
        check=check,
        floors={BARE: FLOOR},
    )


def write_images(folder: Path, n: int) -> None:
    """Smooth random pictures of four classes."""
    rng = np.random.default_rng(0)
    for i in range(n):
        path = folder / f"class_{i % 4}" / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((300, 280)).save(path)
