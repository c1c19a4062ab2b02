# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole study of spectral bias and critical band: ours, and the published way of running it."""

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import visionbias as vb
from benchmarks.band_noise import BANDS as NOISE_BANDS
from benchmarks.band_noise import NOISE_SDS, low_contrast, noisy
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
    """Image files under one condition, decoded and normalized one by one."""

    def __init__(self, paths: list[Path], show: Show) -> None:
        self.paths, self.show = paths, show
        self.mean, self.std = constants(torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        with Image.open(self.paths[row]) as image:
            width, height = image.size
            short, long = min(width, height), max(width, height)
            size = [256 if side == short else int(256 * long / short) for side in (width, height)]
            image = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        left, top = (round((side - 224) / 2) for side in size)
        return (self.show(image.crop((left, top, left + 224, top + 224))) - self.mean) / self.std


@torch.inference_mode()
def published(models: list[torch.nn.Module], paths: list[Path], device: str, workers: int) -> list[list[Tensor]]:
    """Probabilities [N, K] of each model under each condition: every image is decoded and shown anew for each."""
    found = []
    for model in models:
        found.append([])
        for show in conditions():
            loader = DataLoader(Shown(paths, show), BATCH, num_workers=workers)
            found[-1].append(torch.cat([model(x.to(device)).softmax(dim=1).cpu() for x in loader]))
    return found


@benchmark("whole_job")
def cases(device: str, arch: str = "resnet50", models: int = 2, n: int = 32, workers: int = 2) -> Iterator[Case]:
    """One case: images from JPEG files, which ours decodes each time as well."""
    folder = temporary_folder("job")
    paths = write_jpegs(folder / "images", n)
    loaded = []
    for seed in range(models):
        torch.manual_seed(seed)
        model = timm.create_model(arch, num_classes=4).eval()
        save_file(model.state_dict(), folder / f"{arch}-{seed}.safetensors")
        loaded.append(model.to(device))

    def ours(decode: Decode = "auto") -> vb.Run:
        study = vb.Study(
            [
                vb.Checkpoint(folder / f"{arch}-{seed}.safetensors", arch=arch, normalization=vb.Normalization())
                for seed in range(models)
            ],
            folder / "images",
            PROBES,
            device=device,
            decode=decode,
            cache=folder / uuid.uuid4().hex,
        )
        return study.run(folder / uuid.uuid4().hex, progress=False)

    def check(_: str) -> float:
        """Under the conditions without chance the probabilities of the labels are the same, up to 16 bits."""
        frame = (
            ours("pillow").records().to_table().to_pandas().set_index(["model", "condition", "sample_id"])["p_label"]
        )
        names = [name for stimulus in stimuli_of(PROBES) for name in stimulus.conditions]
        ids = [path.relative_to(folder / "images").as_posix() for path in paths]
        labels = torch.tensor([int(path.parent.name.removeprefix("class_")) for path in paths])
        error = 0.0
        for seed, of_conditions in enumerate(published(loaded, paths, device, workers)):
            for condition, p in zip(names[: len(BANDS) + 2], of_conditions, strict=False):
                own = frame[f"{arch}-{seed}", condition].loc[ids].to_numpy()
                error = max(error, float(np.abs(own - p.gather(1, labels[:, None])[:, 0].numpy()).max()))
        assert error < MOST_ERROR, f"probabilities are off by {error}"
        return error

    count = models * len(conditions()) * n
    yield Case(
        op="whole_job",
        shape=f"{models} x {arch}, {len(conditions())} conditions x {n} JPEG files",
        dtype="records",
        unit="forwards",
        work=count,
        bytes_moved=sum(path.stat().st_size for path in paths),
        contenders={"visionbias": ours, PUBLISHED: partial(published, loaded, paths, device, workers)},
        check=check,
        floors={PUBLISHED: FLOOR},
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
