# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""patch_shuffle, silhouette and desaturate against their definitions, and what must hold without an oracle."""

import numpy as np
import pytest
import torch
from PIL import Image
from tolerances import ELEMENTWISE, assert_within

import visionbias as vb
from visionbias.ops.desaturate.function import OP as DESATURATE
from visionbias.ops.patch_shuffle.function import OP as PATCH_SHUFFLE
from visionbias.ops.silhouette.function import OP as SILHOUETTE

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def ids(n):
    return [f"class/{i}.png" for i in range(n)]


CALLS = {
    "patch_shuffle": (lambda x, **o: vb.patch_shuffle(x, grid=4, sample_ids=ids(len(x)), **o), PATCH_SHUFFLE),
    "silhouette": (lambda x, **o: vb.silhouette(x[:, 1:2], x, ground=x.flip(-1), **o), SILHOUETTE),
    "desaturate": (lambda x, **o: vb.desaturate(x, strength=0.7, **o), DESATURATE),
}
BACKENDS = [(name, b) for name, (_, op) in CALLS.items() for b in op.impls]


@pytest.mark.parametrize(("name", "backend"), BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layout", ["contiguous", "interleaved", "transposed", "stepped"])
def test_outputs_and_layouts(name, backend, dtype, layout, device, make_images):
    call = CALLS[name][0]
    x = make_images(5, 3, 24, 28, layout=layout).to(device)
    y = call(x, mean=MEAN, std=STD, dtype=dtype, memory_format=torch.channels_last, backend=backend)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    wanted = call(x.cpu(), mean=MEAN, std=STD, dtype=torch.float64, backend="reference")
    assert_within(y, wanted, ELEMENTWISE[dtype], 1 / min(STD))


@pytest.mark.parametrize(("name", "backend"), BACKENDS)
def test_floats_out_and_no_images(name, backend, device, make_images):
    call = CALLS[name][0]
    x = make_images(3, 3, 16, 16, torch.float32).to(device)
    assert_within(
        call(x, backend=backend), call(x.cpu(), dtype=torch.float64, backend="reference"), ELEMENTWISE[torch.float32]
    )
    buffer = torch.full((5, 16, 16, 3), torch.nan, device=device).permute(0, 3, 1, 2)
    assert torch.equal(call(x, out=buffer[1:4], backend=backend), call(x, backend=backend))
    assert buffer[[0, 4]].isnan().all()
    assert call(x[:0], backend=backend).shape == (0, 3, 16, 16)


def blocks_of(images, grid):
    n, c, h, w = images.shape
    parts = images.reshape(n, c, grid, h // grid, grid, w // grid).permute(0, 2, 4, 1, 3, 5).reshape(n, grid**2, -1)
    return [sorted(part.tolist() for part in image) for image in parts]


@pytest.mark.parametrize("backend", PATCH_SHUFFLE.impls)
@pytest.mark.parametrize("grid", [1, 2, 7])
def test_shuffling_is_a_permutation_of_blocks(backend, grid, make_images):
    x = make_images(3, 3, 28, 42)
    y = vb.patch_shuffle(x, grid=grid, seed=2, sample_ids=ids(3), dtype=torch.float64, backend=backend)
    assert blocks_of(y, grid) == blocks_of(x.double() / 255, grid)
    assert torch.equal(y, x.double() / 255) == (grid == 1)


def test_numpy_s_whole_numbers_are_whole_numbers(make_images):
    x = make_images(1, 3, 8, 8)
    assert torch.equal(
        vb.patch_shuffle(x, grid=np.int64(4), seed=np.int64(1), sample_ids=ids(1)),
        vb.patch_shuffle(x, grid=4, seed=1, sample_ids=ids(1)),
    )


def test_shuffling_depends_on_seed_grid_and_sample_alone(make_images):
    x = make_images(1, 3, 32, 32).expand(12, 3, 32, 32)
    whole = vb.patch_shuffle(x, grid=4, sample_ids=ids(12))
    assert len({image.numpy().tobytes() for image in whole}) == 12
    assert torch.equal(vb.patch_shuffle(x[:1], grid=4, sample_ids=ids(12)[5:6]), whole[5:6])
    assert not torch.equal(vb.patch_shuffle(x, grid=4, sample_ids=ids(12), seed=1), whole)


@pytest.mark.parametrize("backend", SILHOUETTE.impls)
def test_silhouette_of_nothing_and_of_everything(backend, make_images):
    texture, other = make_images(2, 3, 9, 9), make_images(2, 3, 9, 9)
    full = torch.full((2, 1, 9, 9), 255, dtype=torch.uint8)
    options = {"dtype": torch.float64, "backend": backend}
    assert torch.equal(vb.silhouette(full, texture, **options), texture.double() / 255)
    assert torch.equal(vb.silhouette(0 * full, texture, ground=other, **options), other.double() / 255)
    assert (vb.silhouette(0 * full, texture, ground=0.25, **options) == 0.25).all()


@pytest.mark.parametrize("backend", DESATURATE.impls)
def test_desaturation_from_the_image_to_its_grey(backend, make_images):
    x = make_images(1, 3, 20, 20)
    options = {"dtype": torch.float64, "backend": backend}
    assert (vb.desaturate(x, strength=0.0, **options) - x.double() / 255).abs().max() < 1e-15
    grey = np.asarray(Image.fromarray(x[0].permute(1, 2, 0).contiguous().numpy()).convert("L"))
    y = vb.desaturate(x, **options)[0]
    assert np.abs(255 * y.numpy() - grey).max() < 0.51
    assert (y - y[:1]).abs().max() < 1e-15


X = torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vb.patch_shuffle(X, grid=3, sample_ids=ids(2)),
            r"sides \(8, 8\), got 3; try one of 1, 2, 4",
        ),
        (lambda: vb.patch_shuffle(X, grid=0, sample_ids=ids(2)), "at least 1, got 0"),
        (lambda: vb.patch_shuffle(X, grid="2", sample_ids=ids(2)), "at least 1, got '2'"),
        (lambda: vb.patch_shuffle(X, grid=2, sample_ids=ids(1)), "for each of 2 images, got 1"),
        (lambda: vb.silhouette(X[:, :1, 1:], X), r"mask must be \(2, 1, 8, 8\)"),
        (lambda: vb.silhouette(X, X), r"mask must be \(2, 1, 8, 8\)"),
        (lambda: vb.silhouette(X[:, :1], X, ground=2.0), r"ground must be a number in \[0, 1\], got 2.0"),
        (lambda: vb.silhouette(X[:, :1] + 2, X), r"mask must be in \[0, 1\]"),
        (lambda: vb.silhouette(X[:, :1], X, ground=X - 1), r"ground must be in \[0, 1\]"),
        (lambda: vb.silhouette(X[:, :1], X, ground=X[:1]), r"ground must be float32 \(2, 3, 8, 8\)"),
        (lambda: vb.desaturate(X[:, :1]), "must be RGB"),
        (lambda: vb.desaturate(X, strength=1.5), r"in \[0, 1\], got 1.5"),
        (lambda: vb.desaturate(X, strength=None), "strength must be a number"),
        (lambda: vb.desaturate(X, strength=np.zeros(2)), "strength must be a number"),
        (lambda: vb.desaturate(X.clone().requires_grad_()), "no gradient"),
        (lambda: vb.desaturate(X, mean=5), "one number a channel"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(vb.ShapeError, match=message):
        call()


@pytest.mark.parametrize("value", [255.0, -1.0, torch.nan, torch.inf])
@pytest.mark.parametrize("name", CALLS)
def test_pixels_outside_the_range_are_refused(name, value, make_images):
    x = make_images(2, 3, 16, 16, torch.float32)
    x[1, 2, 3, 4] = value
    with pytest.raises(vb.ShapeError, match=r"must be in \[0, 1\] where it is floating, got values"):
        CALLS[name][0](x)
