# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole study of spectral bias and critical band: ours, and the published way of running it.

The latter has a process of its own: where a study has run, malloc keeps memory that it would have given back, which
makes eager forward passes faster than they are where none has.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import visionbias as vb
from benchmarks.band_noise import BANDS as NOISE_BANDS
from benchmarks.band_noise import NOISE_SDS, low_contrast, noisy
from benchmarks.checkpoints import save_checkpoints
from benchmarks.filter_bank import BANDS, passed
from benchmarks.folder import temporary_folder
from benchmarks.images import constants
from benchmarks.registry import Case, benchmark
from visionbias.decode.choice import Decode
from visionbias.probes.registry import stimuli_of

PROBES = (vb.Accuracy(), vb.SpectralBias(), vb.CriticalBand())
BATCH = 32
PUBLISHED = "peer: published, model by model and condition by condition"
FLOOR = 5.0
MOST_ERROR = 0.02  # of probabilities, by 16 bits
GRAIN = 14.0  # standard deviation of the noise in the pictures, of 255 levels

Show = Callable[[Image.Image], Tensor]  # a crop -> [3, H, W] in [0, 1]


def clean(crop: Image.Image) -> Tensor:
    """The image itself."""
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 255.0


def filtered(crop: Image.Image, band: vb.Band) -> Tensor:
    """One spectral condition."""
    return passed(clean(crop), band)


def masked(crop: Image.Image, sd: float, band: int | None) -> Tensor:
    """One critical-band condition; `None` is without noise."""
    image = low_contrast(np.asarray(crop))
    if band is not None:
        image = noisy(image, np.random.default_rng().normal(0.0, sd, image.shape), band)
    return torch.from_numpy(image).float().expand(3, -1, -1)


def conditions() -> list[Show]:
    """The conditions of `PROBES`, each as a transform of one image."""
    noise = [partial(masked, sd=sd, band=band) for sd in NOISE_SDS for band in NOISE_BANDS]
    return [clean, *(partial(filtered, band=band) for band in BANDS), partial(masked, sd=0.0, band=None), *noise]


class Shown(Dataset[Tensor]):
    """Image files under each condition in turn, decoded and normalized one by one."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths, self.conditions = paths, conditions()
        self.mean, self.std = constants(torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.conditions) * len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        condition, image = divmod(row, len(self.paths))
        with Image.open(self.paths[image]) as opened:
            width, height = opened.size
            short, long = min(width, height), max(width, height)
            size = [256 if side == short else int(256 * long / short) for side in (width, height)]
            resized = opened.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        left, top = (round((side - 224) / 2) for side in size)
        show = self.conditions[condition]
        return (show(resized.crop((left, top, left + 224, top + 224))) - self.mean) / self.std


@cache
def untrained(arch: str, device: str) -> torch.nn.Module:
    """A network with the weights of the first checkpoint."""
    torch.manual_seed(0)
    return timm.create_model(arch, num_classes=4).eval().to(device)


@torch.inference_mode()
def published(arch: str, paths: list[Path], device: str, workers: int) -> NDArray[np.float32]:
    """Probabilities [F, N, K] of a model under each condition: every image is decoded and shown anew for each."""
    model, loader = untrained(arch, device), DataLoader(Shown(paths), BATCH, num_workers=workers)
    p = torch.cat([model(x.to(device)).softmax(dim=1).cpu() for x in loader])
    return p.reshape(-1, len(paths), p.shape[1]).numpy()


@benchmark("whole_job")
def cases(
    device: str,
    arch: str = "resnet50",
    models: int = 2,
    n: int = 96,
    n_published: int = 16,
    workers: int = 2,
    decode: Decode = "auto",
) -> Iterator[Case]:
    """One case: images from JPEG files, which ours decodes each time as well.

    The published way does the same for each model, condition and image, so some images and one model give its rate.
    """
    folder = temporary_folder("job")
    paths = write_jpegs(folder / "images", n)
    weights = save_checkpoints(folder, arch, models)
    few = paths[:: n // n_published][:n_published]
    runs: list[vb.Run] = []
    found: list[NDArray[np.float32]] = []
    own_process = ProcessPoolExecutor(1, get_context("spawn"))

    def ours() -> None:
        study = vb.Study(
            [vb.Checkpoint(path, arch=arch, normalization=vb.Normalization()) for path in weights],
            folder / "images",
            PROBES,
            device=device,
            decode=decode,
            cache=folder / uuid.uuid4().hex,
        )
        runs.append(study.run(folder / uuid.uuid4().hex, progress=False))

    def theirs() -> None:
        found.append(own_process.submit(published, arch, few, device, workers).result())

    def check(_: str) -> float:
        """Under the conditions without chance the probabilities of the labels are the same, up to 16 bits."""
        if not found:
            theirs()
        frame = runs[-1].records().to_table().to_pandas().set_index(["model", "condition", "sample_id"])["p_label"]
        names = [name for stimulus in stimuli_of(PROBES) for name in stimulus.conditions][: len(BANDS) + 2]
        ids = [path.relative_to(folder / "images").as_posix() for path in few]
        labels = np.array([int(path.parent.name.removeprefix("class_")) for path in few])
        own = np.stack([frame[f"{arch}-0", name].loc[ids].to_numpy() for name in names])
        wanted = found[-1][: len(names), np.arange(len(few)), labels]
        error = float(np.abs(own - wanted).max())
        assert error < MOST_ERROR, f"probabilities are off by {error}"
        return error

    yield Case(
        op="whole_job",
        shape=f"{models} x {arch}, {len(conditions())} conditions x {n} JPEG files",
        dtype="records",
        unit="forwards",
        work=models * len(conditions()) * n,
        bytes_moved=sum(path.stat().st_size for path in paths),
        contenders={"visionbias": ours, PUBLISHED: theirs},
        check=check,
        floors={PUBLISHED: FLOOR},
        parts={PUBLISHED: len(few) / (models * n)},
    )


def write_jpegs(folder: Path, n: int) -> list[Path]:
    """Random pictures of four classes, as large as ImageNet's usually are: 500 x 375 and about 110 KB. Sorted."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(n):
        path = folder / f"class_{i % 4}" / f"{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = rng.normal(0.0, GRAIN, (375, 500, 1)).astype(np.int16)
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return sorted(paths)
