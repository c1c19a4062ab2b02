# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Pyramid and critical-band images against stored outputs of the published code."""

import numpy as np
import pytest
import torch
from backends import on_cpu
from tolerances import GOLDEN_PIXEL

import visionbias as vb
from visionbias.ops.band_noise import reference
from visionbias.ops.band_noise.function import CONTRAST, LUMINANCE, OP
from visionbias.ops.band_noise.pyramid import level_count, smoothing
from visionbias.ops.band_noise.spec import Spec
from visionbias.ops.band_noise.torch import TorchKernel
from visionbias.ops.native import engine
from visionbias.ops.output import Output

BANDS = tuple(range(7))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden/critical_band.npz") as file:
        return dict(file)


def spec(bands=BANDS, noise_sds=(), dtype=torch.float32):
    output = Output((0.0,) * 3, (1.0,) * 3, dtype, CPU)
    return Spec(bands, noise_sds, 224, 224, CONTRAST, LUMINANCE, torch.uint8, output)


def test_matrices(golden):
    assert level_count(224, 224) == len(golden["level_sizes"])
    for level, wanted in enumerate(golden["A"]):
        assert np.abs(smoothing(224, level) - wanted).max() < 1e-14


def test_reconstructions_and_scales_of_the_definition(golden):
    for band, level in zip(BANDS, golden["freq_to_level"], strict=True):
        recon = reference.reconstruction(golden["noise"], level)
        assert np.abs(recon - golden["recon"][:, band]).max() <= 1e-12
        scaled = reference.band_noise(golden["noise"], level)
        scale = np.sqrt((scaled**2).mean((1, 2)) / (recon**2).mean((1, 2)))
        assert np.abs(scale / golden["band_scale"][:, band] - 1).max() <= 1e-5


def test_reconstructions_of_torch(golden):
    kernel = TorchKernel(spec())
    for field, recon in zip(golden["noise"], golden["recon"], strict=True):
        levels = kernel._gaussian(torch.from_numpy(field).float()[None])
        for band, level in zip(BANDS, kernel.levels, strict=True):
            left, right = kernel.upward[level]
            got = (left @ kernel._laplacian(levels, level) @ right)[0].double().numpy()
            assert np.abs(got - recon[band]).max() <= 1e-6


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_scaled_bands(backend, golden):
    bands = vb.band_noise(torch.from_numpy(golden["noise"]), backend=backend).numpy()
    assert np.abs(bands - golden["band_noise"].transpose(1, 0, 2, 3)).max() <= 1e-5


@pytest.mark.skipif(engine() is None, reason="visionbias._C is not built")
def test_images_of_the_engine_but_what_it_draws_again(golden):
    """It takes new normals from Philox alone."""
    drawn_again = 0
    for case, wanted in enumerate(golden["out"]):
        i, band, sd = (golden[name][case] for name in ("case_image", "case_freq", "case_noise_sd"))
        grey, field = (torch.from_numpy(golden[name][i]) for name in ("gray", "sol_noise_unit"))
        options = {"bands": [int(band)], "noise_sds": [float(sd)]}
        y = vb.critical_band(grey[None, None], noise=field[None], backend="native", **options)[0, 0, 0].numpy()
        added = sd * vb.band_noise(field[None], bands=[int(band)], backend="native")[0, 0].numpy()
        image = reference.low_contrast(golden["gray"][i][None] / 255.0, True, CONTRAST, LUMINANCE)
        total = image + added
        again = ((total < 0) & (added < -0.9)) | ((total > 1) & (added > 0.9))
        assert again.sum() == golden["case_n_resampled"][case]
        assert np.abs(y - wanted)[:, ~again].max() <= GOLDEN_PIXEL, case
        assert ((y[:, again] >= 0) & (y[:, again] <= 1)).all()
        assert not np.isin(y[0, again], np.float32([0.1, 0.9])).any()
        shifted = np.isin(y[0], np.float32([0.1, 0.9])) & ((total < 0) | (total > 1))
        assert shifted.sum() == golden["case_n_shifted"][case]
        drawn_again += again.sum()
    assert drawn_again > 0


class StoredNoise:
    """A stored field with its stored redraws, which were used pixel by pixel in raster order."""

    common = True

    def __init__(self, field, image, redraws):
        self.stored = field  # [1, H, W]
        self.image = image  # [H, W] before noise
        self.redraws = redraws  # unit normals in order of use
        self.calls = self.drawn_again = 0

    def field(self, rows, band):
        return self.stored[rows]

    def redraw(self, row, band, sd, places, attempt):
        if attempt == 0:
            self.table, used = {}, 0
            for place in places.tolist():
                self.table[place] = []
                while True:
                    self.table[place].append(self.redraws[used])
                    y = self.image.flat[place] + sd * self.redraws[used]
                    used += 1
                    if 0 <= y <= 1:
                        break
            assert used == len(self.redraws)
            self.drawn_again = len(places)
        self.calls += len(places)
        return torch.tensor([self.table[place][attempt] for place in places.tolist()], dtype=torch.float64)


@pytest.mark.parametrize("backend", on_cpu(OP, without="native"))
def test_images_and_counts(backend, golden):
    greys = torch.from_numpy(golden["gray"])[:, None]
    reached = 0
    for case, wanted in enumerate(golden["out"]):
        i, band, sd = (golden[name][case] for name in ("case_image", "case_freq", "case_noise_sd"))
        field = torch.from_numpy(golden["sol_noise_unit"][i])[None]
        image = reference.low_contrast(golden["gray"][i][None] / 255.0, True, CONTRAST, LUMINANCE)
        start, stop = golden["redraw_offset"][case : case + 2]
        noise = StoredNoise(field, image, golden["redraws_unit"][start:stop])
        out = torch.full((1, 1, 1, 3, 224, 224), torch.nan)
        kernel = OP.impls[backend].make(spec((int(band),), (float(sd),)))
        kernel.run(greys[i : i + 1], noise, out)
        assert np.abs(out[0, 0, 0].numpy() - wanted).max() <= GOLDEN_PIXEL, case

        unit = vb.band_noise(field, bands=[int(band)], backend=backend)[0, 0].double().numpy()
        y = image + sd * unit
        assert (y < 0).sum() == golden["case_n_low"][case]
        assert (y > 1).sum() == golden["case_n_high"][case]
        shifted = (out[0, 0, 0, 0] == np.float32(0.1)) | (out[0, 0, 0, 0] == np.float32(0.9))
        assert (shifted.numpy() & ((y < 0) | (y > 1))).sum() == golden["case_n_shifted"][case]
        assert noise.drawn_again == golden["case_n_resampled"][case]
        assert noise.calls == golden["case_n_redraws"][case]
        reached += noise.calls
    assert reached == len(golden["redraws_unit"]) > 0


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_the_study_s_images_from_given_noise(backend, golden):
    """One public call for all levels and bands of both images; nothing is drawn again in the study's range."""
    sds = [0.0, 0.02, 0.04, 0.08, 0.16]
    noise = torch.from_numpy(golden["sol_noise_unit"])
    y = vb.critical_band(torch.from_numpy(golden["gray"])[:, None], noise_sds=sds, noise=noise, backend=backend)
    compared = 0
    for case, wanted in enumerate(golden["out"]):
        i, band, sd = (golden[name][case] for name in ("case_image", "case_freq", "case_noise_sd"))
        if sd in sds:
            assert np.abs(y[sds.index(sd), band, i].numpy() - wanted).max() <= GOLDEN_PIXEL, case
            compared += 1
    assert compared == 42
