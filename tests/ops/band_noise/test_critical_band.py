# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""critical_band: every backend against the float64 definition on fresh images, properties, and bad input."""

from itertools import product

import numpy as np
import pytest
import torch
from backends import on_cpu
from PIL import Image
from tolerances import BAND_NOISE, CRITICAL_BAND, assert_within

import visionbias as vb
from visionbias.ops.band_noise import reference
from visionbias.ops.band_noise.fields import DrawnNoise
from visionbias.ops.band_noise.function import OP
from visionbias.ops.band_noise.pyramid import FINEST, level_count, level_of, smoothing
from visionbias.ops.philox import sample_keys, stream, unit_normals

BACKENDS = on_cpu(OP, without="reference")
# Size, bands that it has.
SIZES = [((1, 1), 1), ((3, 9), 1), ((5, 40), 2), ((48, 48), 5), ((97, 131), 6), ((160, 160), 7), ((384, 260), 7)]
FLOAT64_BACKENDS = on_cpu(OP, without="native")
SIZES += [((256, 299), 7), ((384, 400), 7)]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def bands_of(count):
    return range(FINEST + 1 - count, FINEST + 1)


def ids(n, prefix="class/image"):
    return [f"{prefix}{i}.png" for i in range(n)]


def both(x, backend, **options):
    """The backend's result, the definition's, and where no decision is a matter of rounding."""
    y = vb.critical_band(x, backend=backend, **options)
    plain = {key: value for key, value in options.items() if key not in ("memory_format", "out")}
    wanted = vb.critical_band(x.cpu(), backend="reference", **plain | {"dtype": torch.float64})
    return y, wanted


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("size", "count"), SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(backend, size, count, channels, device, make_images):
    x = make_images(2, channels, *size).to(device)
    y, wanted = both(x, backend, bands=bands_of(count), noise_sds=(0.0, 0.04), sample_ids=ids(2), mean=MEAN, std=STD)
    assert y.shape == (2, count, 2, 3, *size)
    assert_within(y, wanted, CRITICAL_BAND[torch.float32], 1 / min(STD))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sd", [0.16, 0.6])
@pytest.mark.parametrize("common", [False, True])
def test_noise_that_leaves_the_bounds(backend, sd, common, device):
    x = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)).to(device)
    options = {"bands": range(2, 7), "noise_sds": (sd,), "sample_ids": ids(3), "common_random_numbers": common}
    y, wanted = both(x, backend, **options)
    assert y.min() >= 0
    assert y.max() <= 1
    # A pixel within rounding of a bound may fall on its other side.
    flipped = (y.cpu().double() - wanted).abs() > 1e-5
    assert flipped.double().mean() < 1e-4
    assert ((y == np.float32(0.1)) | (y == np.float32(0.9))).double().mean() > (0.2 if sd == 0.6 else 0.0)


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [
        *product(on_cpu(OP), [torch.float32, torch.float16, torch.bfloat16]),
        *product(FLOAT64_BACKENDS, [torch.float64]),
    ],
    ids=str,
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
def test_outputs(backend, dtype, memory_format, device, make_images):
    x = make_images(2, 3, 40, 40).to(device)
    options = {"bands": (4, 6), "noise_sds": (0.02, 0.05), "sample_ids": ids(2), "mean": MEAN, "std": STD}
    y, wanted = both(x, backend, dtype=dtype, memory_format=memory_format, **options)
    assert y.dtype == dtype
    assert all(part.is_contiguous(memory_format=memory_format) for part in y.flatten(0, 1))
    assert_within(y, wanted, CRITICAL_BAND[dtype], 1 / min(STD))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("layout", ["contiguous", "interleaved", "stepped"])
def test_floating_inputs(backend, dtype, layout, device, make_images):
    x = make_images(2, 3, 33, 40, dtype, layout).to(device)
    y, wanted = both(x, backend, bands=(5,), noise_sds=(0.04,), sample_ids=ids(2))
    assert_within(y, wanted, CRITICAL_BAND[torch.float32])


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_grey_is_pillow_s(backend, make_images):
    x = make_images(1, 3, 60, 50)
    grey = np.asarray(Image.fromarray(x[0].permute(1, 2, 0).contiguous().numpy()).convert("L")) / 255.0
    y = vb.critical_band(x, bands=[6], noise_sds=[0.0], backend=backend)[0, 0, 0]
    assert np.abs(y.numpy() - ((grey - grey.mean()) * 0.2 + 0.449)).max() < 1e-6


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_out_is_overwritten_and_nothing_else(backend, device, make_images):
    x = make_images(2, 3, 24, 24).to(device)
    buffer = torch.full((2, 2, 5, 24, 24, 3), torch.nan, device=device).permute(0, 1, 2, 5, 3, 4)
    options = {"bands": (5, 6), "noise_sds": (0.0, 0.1), "sample_ids": ids(2)}
    out = buffer[:, :, 1:3]
    assert vb.critical_band(x, out=out, backend=backend, **options) is out
    assert torch.equal(buffer[:, :, 1:3], vb.critical_band(x, backend=backend, **options))
    assert buffer[:, :, :1].isnan().all()
    assert buffer[:, :, 3:].isnan().all()
    assert vb.critical_band(x[:0], sample_ids=[], bands=(6,), backend=backend).shape == (4, 1, 0, 3, 24, 24)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("common", [False, True])
def test_bits_depend_on_seed_band_and_sample_alone(backend, common, device, make_images):
    x = make_images(19, 3, 48, 48, layout="interleaved").to(device)
    names = ids(19)
    options = {"seed": 5, "common_random_numbers": common, "backend": backend}
    whole = vb.critical_band(x, bands=(2, 4, 6), noise_sds=(0.05, 0.5), sample_ids=names, **options)
    order = torch.randperm(19)
    shuffled = vb.critical_band(
        x[order], bands=(2, 4, 6), noise_sds=(0.05, 0.5), sample_ids=[names[i] for i in order], **options
    )
    assert torch.equal(shuffled, whole[:, :, order])
    alone = vb.critical_band(x[7:8], bands=(4,), noise_sds=(0.5,), sample_ids=names[7:8], **options)
    assert torch.equal(alone[0, 0], whole[1, 1, 7:8])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        again = vb.critical_band(x, bands=(2, 4, 6), noise_sds=(0.05, 0.5), sample_ids=names, **options)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(again, whole)


@pytest.fixture
def precision():
    """The process's setting for float32 products, put back behind the test."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_the_caller_s_precision_changes_nothing_and_stays(precision, device, make_images):
    x = make_images(1, 3, 64, 64).to(device)  # one image: in the caller's thread
    options = {"bands": (3, 6), "noise_sds": (0.05,), "sample_ids": ids(1)}
    wanted = vb.critical_band(x, **options)
    torch.set_float32_matmul_precision("medium")
    with torch.autocast(device, dtype=torch.bfloat16):
        assert torch.equal(vb.critical_band(x, **options), wanted)
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_noise_of_bands_levels_samples_and_seeds(backend):
    """Levels share their field; bands do so only with common random numbers; samples and seeds never."""
    x = torch.full((2, 1, 96, 96), 0.5)

    def shown(**options):
        bands = vb.critical_band(x, bands=(5, 6), noise_sds=(0.01, 0.02), sample_ids=ids(2), backend=backend, **options)
        return bands[:, :, :, 0].double() - 0.449

    noise = shown()
    assert (noise[1] / 2 - noise[0]).abs().max() < 1e-6
    assert (noise[0, :, 0] - noise[0, :, 1]).abs().mean() > 0.005
    assert (shown(seed=1) - noise).abs().mean() > 0.005
    # Neighboring bands of one field overlap in frequency; those of two fields have nothing in common.
    common = shown(common_random_numbers=True)[0, :, 0].flatten(1)
    apart = noise[0, :, 0].flatten(1)
    assert abs(torch.corrcoef(apart)[0, 1]) < 0.05
    assert abs(torch.corrcoef(common)[0, 1]) > 0.1


@pytest.mark.parametrize("backend", FLOAT64_BACKENDS)
def test_bands_have_one_rms_and_their_reconstructions_sum_to_the_field(backend):
    field = torch.randn(2, 130, 97, dtype=torch.float64)
    bands = vb.band_noise(field, bands=bands_of(6), dtype=torch.float64, backend=backend)
    rms = bands.square().mean((2, 3)).sqrt()
    assert (rms / rms[-1] - 1).abs().max() < 1e-12
    count = level_count(130, 97)
    total = sum(reference.reconstruction(field.numpy(), level) for level in range(count))
    assert np.abs(total - field.numpy()).max() < 1e-12
    for level in range(count):
        assert np.abs(smoothing(130, level).sum(axis=1) - 1).max() < 1e-12


@pytest.mark.parametrize("backend", FLOAT64_BACKENDS)
@pytest.mark.parametrize("size", [(224, 224), (130, 97), (48, 61)], ids=str)
def test_the_field_is_a_weighted_sum_of_its_bands(backend, size):
    """Each band is a level times a number, and the levels sum to the field."""
    field = torch.randn(1, *size, dtype=torch.float64)
    count = level_count(*size)
    bands = vb.band_noise(field, bands=bands_of(count), dtype=torch.float64, backend=backend)
    columns = bands.flatten(1).T  # [H * W, B]
    weights = torch.linalg.lstsq(columns, field.view(-1, 1)).solution
    assert (columns @ weights - field.view(-1, 1)).abs().max() < 1e-11
    assert (weights > 0).all()
    assert weights[-1].item() == pytest.approx(1, abs=1e-9)  # the finest band is the measure of all


@pytest.mark.parametrize("backend", BACKENDS)
def test_scaled_bands(backend, device):
    field = torch.randn(3, 224, 224, device=device)
    wanted = vb.band_noise(field.cpu(), dtype=torch.float64, backend="reference")
    assert_within(vb.band_noise(field, backend=backend), wanted, BAND_NOISE)
    assert vb.band_noise(torch.zeros(1, 64, 64, device=device), bands=(4, 6), backend=backend).abs().max() == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_faintest_fields_keep_their_scale(backend, device):
    field = torch.randn(2, 96, 96, device=device)
    field /= field.abs().amax((1, 2), keepdim=True)
    wanted = vb.band_noise(field.cpu() * 1.01e-6, bands=range(1, 7), dtype=torch.float64, backend="reference") / 1e-6
    assert_within(vb.band_noise(field * 1.01e-6, bands=range(1, 7), backend=backend) / 1e-6, wanted, BAND_NOISE)
    for faint in (field * 1e-24, torch.stack([field[0], field[1] * 1e-10])):
        with pytest.raises(vb.ShapeError, match="band_noise: noise holds a field with no number beyond 1e-06"):
            vb.band_noise(faint, bands=[6], backend=backend)


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_a_field_for_each_band(backend):
    x = torch.full((2, 1, 40, 40), 0.5)
    fields = torch.randn(2, 2, 40, 40)
    y = vb.critical_band(x, bands=(4, 6), noise_sds=(0.02,), noise=fields, backend=backend)
    for b, band in enumerate((4, 6)):
        alone = vb.critical_band(x, bands=(band,), noise_sds=(0.02,), noise=fields[b], backend=backend)
        assert torch.equal(alone[:, 0], y[:, b])


def test_what_is_drawn_again_are_numbers_of_a_sequence_of_their_own():
    keys = sample_keys("test", ["a", "b"], 2)
    noise = DrawnNoise(5, keys, 8, 8, False, torch.device("cpu"))
    whole = unit_normals(5, stream("band_noise/6/0.5/redraw"), keys, 4 * 64, torch.device("cpu")).view(2, 4, 64)
    places = torch.tensor([0, 1, 5, 30, 63])
    for attempt in range(4):
        assert torch.equal(noise.redraw(1, 6, 0.5, places, attempt), whole[1, attempt, places])


def test_the_finest_bands_of_every_size_have_the_same_numbers():
    assert [level_count(side, side) for side in (4, 5, 48, 160, 224, 256, 299, 384)] == [1, 2, 5, 7, 7, 7, 7, 8]
    assert level_of("x", 6, 384, 384) == 0
    assert level_of("x", 0, 384, 384) == 6
    assert level_of("x", 2, 48, 48) == 4


X = torch.zeros(2, 3, 48, 48)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": range(7)}, "48 x 48 pixels have the bands 2 ... 6, got band 0"),
        ({"bands": [7]}, "have the bands 2 ... 6, got band 7"),
        ({"bands": []}, "one band or more"),
        ({"bands": [6, 6]}, "none twice"),
        ({"bands": 6}, "sequence of whole numbers"),
        ({"bands": ["6"]}, "sequence of whole numbers"),
        ({"noise_sds": [-0.1]}, r"in \[0, 10\]"),
        ({"noise_sds": [float("nan")]}, r"in \[0, 10\]"),
        ({"noise_sds": []}, "one or more numbers"),
        ({"noise_sds": 0.1}, "sequence of numbers"),
        ({"sample_ids": None}, "wanted sample_ids or noise"),
        ({"sample_ids": ["a"]}, "a sample id for each of 2 images, got 1"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"contrast": 0.5}, "no image leaves"),
        ({"contrast": "a"}, r"contrast must be a number in \[0, 0.5\], got 'a'"),
        ({"luminance": None}, "luminance must be a number"),
        ({"noise": torch.zeros(2, 48, 47)}, r"noise must be \[N, H, W\] = \(2, 48, 48\)"),
        ({"noise": torch.full((2, 48, 48), torch.nan)}, "NaN, infinity"),
        ({"noise": torch.full((2, 48, 48), 1e30)}, "numbers beyond 10000; wanted unit normals"),
        ({"noise": torch.full((2, 48, 48), 1e-24)}, "no number beyond 1e-06; wanted unit normals, or 0"),
        ({"common_random_numbers": "no"}, "must be True or False, got 'no'"),
        ({"std": [0.5, torch.inf, 0.5]}, "std must be finite"),
        ({"mean": [torch.nan] * 3}, "mean must be finite"),
        ({"noise": torch.zeros(2, 48, 48, dtype=torch.int32)}, "floating tensor of unit normals"),
        ({"mean": [0.5]}, "one value a channel of x, C=3, got 1"),
        ({"out": torch.zeros(1, 1, 2, 3, 48, 48)}, r"out must be \(4, 1, 2, 3, 48, 48\)"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(vb.ShapeError, match=message):
        vb.critical_band(X, **{"bands": [6], "sample_ids": ids(2)} | options)


def test_bad_images():
    with pytest.raises(vb.ShapeError, match="grey or RGB"):
        vb.critical_band(torch.zeros(2, 4, 48, 48), bands=[6], sample_ids=ids(2))
    with pytest.raises(vb.ShapeError, match="no gradient"):
        vb.critical_band(X.clone().requires_grad_(), bands=[6], sample_ids=ids(2))
    for wrong in (torch.zeros(48, 48), 5, torch.zeros(2, 0, 48)):
        with pytest.raises(vb.ShapeError, match="noise must be"):
            vb.band_noise(wrong)
    for dtype in (torch.uint8, "float32"):
        with pytest.raises(vb.ShapeError, match="dtype must be one of"):
            vb.band_noise(torch.zeros(1, 48, 48), bands=[6], dtype=dtype)
    with pytest.raises(vb.ShapeError, match="dense tensor"):
        vb.critical_band(X.to_sparse(), bands=[6], sample_ids=ids(2))


@pytest.mark.parametrize("backend", on_cpu(OP))
@pytest.mark.parametrize("value", [255.0, -1.0, torch.nan, torch.inf])
def test_pixels_outside_the_range_are_refused(backend, value):
    """No noise brings them back into bounds, so that drawing it again would never end."""
    x = X.clone()
    x[1, 2, 3, 4] = value
    with pytest.raises(vb.ShapeError, match=r"x must be in \[0, 1\] where it is floating, got values"):
        vb.critical_band(x, bands=[6], noise_sds=[0.3], sample_ids=ids(2), backend=backend)
