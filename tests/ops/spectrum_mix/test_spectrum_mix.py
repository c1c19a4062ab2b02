# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""spectrum_mix: every backend against the float64 definitions on fresh images, and what must hold without an oracle."""

import pytest
import torch
from backends import on_cpu
from tolerances import PHASES, SPECTRUM_MIX, assert_within

import visionbias as vb
from visionbias.ops.philox import sample_keys, stream, unit_uniforms
from visionbias.ops.silhouette.function import OP as SILHOUETTE
from visionbias.ops.spectrum_mix import phase_swap_both, reference
from visionbias.ops.spectrum_mix.kernels import OP

BACKENDS = on_cpu(OP, without="reference")
DOUBLE = on_cpu(OP, without="native")  # those that compute in float64
SIZES = [(1, 1), (1, 7), (2, 2), (8, 5), (64, 48), (225, 224)]
ROUGH = [(31, 30), (97, 131)]  # sides that the CPU engine leaves to torch
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def ids(n):
    return [f"class/{i}.png" for i in range(n)]


def amplitude_of(x):
    return vb.mean_amplitude(x.cpu()).to(x.device)


CALLS = {
    "phase_swap": (lambda x, **o: vb.cue_conflict(x, x.flip(0).flip(-1), **o), SPECTRUM_MIX),
    "random_phase": (lambda x, **o: vb.random_phase(x, seed=3, sample_ids=ids(len(x)), **o), SPECTRUM_MIX),
    "phase_noise": (lambda x, **o: vb.phase_noise(x, width=70, sample_ids=ids(len(x)), **o), PHASES),
    "power_equalize": (lambda x, **o: vb.power_equalize(x, amplitude_of(x), **o), SPECTRUM_MIX),
}


def faint(x):
    """Images of low contrast around mid-grey, which no change of phase clips."""
    values = x.double() / 255.0 if x.dtype == torch.uint8 else x.double()
    return 0.5 + 0.02 * (values - values.mean(dim=(2, 3), keepdim=True))


@pytest.mark.parametrize(
    ("backend", "size"), [(b, s) for b in BACKENDS for s in SIZES + (ROUGH if b in DOUBLE else [])], ids=str
)
@pytest.mark.parametrize("name", CALLS)
def test_sizes(backend, name, size, device, make_images):
    call, tolerance = CALLS[name]
    x = make_images(3, 3, *size).to(device)
    wanted = call(x.cpu(), mean=MEAN, std=STD, dtype=torch.float64, backend="reference")
    assert_within(call(x, mean=MEAN, std=STD, backend=backend), wanted, tolerance[torch.float32], 1 / min(STD))


@pytest.mark.parametrize(
    ("backend", "dtype"), [(b, d) for b in on_cpu(OP) for d in FLOATS if b in DOUBLE or d != torch.float64], ids=str
)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("layout", ["contiguous", "interleaved", "stepped"])
def test_outputs_and_layouts(backend, name, dtype, layout, device, make_images):
    call, tolerance = CALLS[name]
    x = make_images(2, 3, 24, 35, layout=layout).to(device)
    y = call(x, dtype=dtype, memory_format=torch.channels_last, backend=backend)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert_within(y, call(x.cpu(), dtype=torch.float64, backend="reference"), tolerance[dtype])


@pytest.mark.parametrize("backend", on_cpu(OP))
@pytest.mark.parametrize("name", CALLS)
def test_out_and_no_images(backend, name, device, make_images):
    call, _ = CALLS[name]
    x = make_images(2, 3, 16, 16).to(device)
    buffer = torch.full((5, 16, 16, 3), torch.nan, device=device).permute(0, 3, 1, 2)
    wanted = call(x, memory_format=torch.channels_last, backend=backend)
    assert torch.equal(call(x, out=buffer[1:3], backend=backend), wanted)
    assert buffer[0].isnan().all()
    assert buffer[3:].isnan().all()
    if name != "power_equalize":
        assert call(x[:0], backend=backend).shape == (0, 3, 16, 16)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["phase_swap", "random_phase", "phase_noise"])
def test_bits_do_not_depend_on_the_batch_or_the_threads(backend, name, device, make_images):
    x, other = make_images(19, 3, 40, 40).to(device), make_images(19, 3, 40, 40).to(device)
    names = ids(19)

    def call(rows):
        if name == "phase_swap":
            return vb.cue_conflict(x[rows], other[rows], backend=backend)
        options = {"width": 90} if name == "phase_noise" else {}
        return getattr(vb, name)(x[rows], sample_ids=[names[i] for i in rows], backend=backend, **options)

    whole = call(list(range(19)))
    order = torch.randperm(19).tolist()
    assert torch.equal(call(order), whole[order])
    assert torch.equal(call([4]), whole[[4]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(call(list(range(19))), whole)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("backend", on_cpu(OP))
@pytest.mark.parametrize("size", [(32, 32), (35, 45)])
def test_an_image_mixed_with_itself_is_itself(backend, size, make_images):
    x = make_images(2, 3, *size)
    same = x.double() / 255
    dtype, bound = (torch.float64, 1e-12) if backend in DOUBLE else (torch.float32, 2e-6)
    assert (vb.cue_conflict(x, x, dtype=dtype, backend=backend) - same).abs().max() < bound
    assert (vb.phase_noise(x, width=0, sample_ids=ids(2), dtype=dtype, backend=backend) - same).abs().max() < bound
    alone = x[:1]
    own = vb.power_equalize(alone, vb.mean_amplitude(alone), dtype=dtype, backend=backend)
    assert (own - same[:1]).abs().max() < bound


@pytest.mark.parametrize("backend", on_cpu(OP))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_swaps_at_once_are_each_of_them(backend, dtype, device, make_images):
    a, b = make_images(3, 3, 40, 35).to(device), make_images(3, 3, 40, 35).to(device)
    options = {"dtype": dtype, "memory_format": torch.channels_last, "backend": backend}
    wanted = torch.stack([vb.cue_conflict(a, b, **options), vb.cue_conflict(b, a, **options)])
    assert torch.equal(phase_swap_both(a, b, **options), wanted)
    buffer = torch.full((3, 5, 40, 35, 3), torch.nan, dtype=dtype, device=device).permute(0, 1, 4, 2, 3)
    assert torch.equal(phase_swap_both(a, b, out=buffer[::2, 1:4], **options), wanted)
    assert buffer[1].isnan().all()
    assert buffer[:, ::4].isnan().all()
    assert phase_swap_both(a[:0], b[:0], **options).shape == (2, 0, 3, 40, 35)


@pytest.mark.parametrize("backend", DOUBLE)
@pytest.mark.parametrize("size", [(32, 32), (31, 45), (30, 31)])
def test_spectra_are_what_was_asked_for(backend, size, make_images):
    x, other = faint(make_images(2, 3, *size)), faint(make_images(2, 3, *size))
    options = {"dtype": torch.float64, "backend": backend}
    own, texture = torch.fft.fft2(x), torch.fft.fft2(other)

    swapped = torch.fft.fft2(vb.cue_conflict(x, other, **options))
    assert (swapped.abs() - texture.abs()).abs().max() < 1e-9
    assert (swapped * own.conj() / (own.abs() * texture.abs()) - 1).abs().max() < 1e-6

    scrambled = torch.fft.fft2(vb.random_phase(x, sample_ids=ids(2), **options))
    assert (scrambled.abs() - own.abs()).abs().max() < 1e-9
    assert (scrambled[..., 0, 0] - own[..., 0, 0]).abs().max() < 1e-9
    turned = (scrambled / own).angle()[..., 1:, 1:]
    assert turned.abs().mean() == pytest.approx(torch.pi / 2, abs=0.1)

    noisy = torch.fft.fft2(vb.phase_noise(x, width=60, sample_ids=ids(2), **options))
    assert (noisy.abs() - own.abs()).abs().max() < 1e-9
    angle = (noisy / own).angle()
    assert angle.abs().max() <= torch.pi / 3 + 1e-9
    assert angle.abs().mean() == pytest.approx(torch.pi / 6, abs=0.05)
    assert (angle - angle[:, :1]).abs().max() < 1e-6  # all channels alike

    amplitude = vb.mean_amplitude(torch.cat([x, other]))
    equal = torch.fft.rfft2(vb.power_equalize(x, amplitude, **options))
    assert (equal.abs() - amplitude).abs().max() < 1e-9


def test_phase_noise_of_the_half_plane_is_odd_on_the_whole():
    for height, width in ((6, 8), (7, 9), (6, 9), (7, 8), (1, 1), (2, 2)):
        half = width // 2 + 1
        keys = sample_keys("test", ["a"], 1)
        drawn = unit_uniforms(1, stream("x"), keys, height * half, torch.device("cpu"))[0].double().numpy()
        odd = reference.antisymmetric(2 * drawn.reshape(height, half) - 1, width)
        for row in range(height):
            for column in {0} | ({width // 2} if width % 2 == 0 else set()):
                assert odd[row, column] == -odd[-row % height, column]


@pytest.mark.parametrize("backend", DOUBLE)
def test_widths_share_their_noise_and_samples_do_not(backend, make_images):
    x = faint(make_images(1, 1, 32, 32)).expand(2, 1, 32, 32)
    spectra = [
        torch.fft.fft2(vb.phase_noise(x, width=w, sample_ids=["a", "b"], dtype=torch.float64, backend=backend))
        for w in (30, 60)
    ]
    narrow, wide = ((s / torch.fft.fft2(x)).angle() for s in spectra)
    assert (wide - 2 * narrow).abs().max() < 1e-6
    assert (narrow[0] - narrow[1]).abs().mean() > 0.1


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_flat_images_have_no_phase(backend):
    flat, texture = torch.full((1, 3, 28, 28), 0.4), torch.rand(1, 3, 28, 28)
    assert (vb.cue_conflict(flat, texture, backend=backend) - texture).abs().max() < 1e-5
    assert (vb.cue_conflict(texture, flat, backend=backend) - 0.4).abs().max() < 1e-5
    assert (vb.random_phase(flat, sample_ids=["a"], backend=backend) - 0.4).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(112, 112), (223, 224), (224, 224), (224, 299), (448, 384)], ids=str)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "reference"])
def test_what_a_transform_leaves_of_plain_images_has_no_phase(backend, size, device):
    h, w = size
    rows, columns = torch.arange(h)[:, None].expand(h, w), torch.arange(w)[None].expand(h, w)
    plain = [torch.full(size, 255), rows // 16 % 2 * 255, columns // 16 % 2 * 255, rows * 255 // h, columns * 255 // w]
    shapes = torch.stack([image.to(torch.uint8) for image in plain])[:, None].to(device)
    texture = torch.randint(0, 256, (1, 1, h, w), dtype=torch.uint8).to(device)
    amplitude = vb.mean_amplitude(texture)
    for call in (
        lambda **o: vb.cue_conflict(shapes, texture.expand_as(shapes), **o),
        lambda **o: vb.power_equalize(shapes, amplitude, **o),
    ):
        wanted = call(dtype=torch.float64, backend="reference").cpu()
        try:
            got = call(backend=backend)
        except vb.BackendError as refusal:
            pytest.skip(str(refusal))
        assert (got.cpu() - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("scale", [1e-9, 1e-15, 1e-19, 1e-22, 1e-30, 1e-44])
@pytest.mark.parametrize("backend", BACKENDS)
def test_images_that_are_nearly_black(backend, scale, device):
    """Squares of their spectra leave float32's range; below 1e-10 a bin has no phase."""
    faint, other = torch.rand(2, 1, 3, 32, 28, device=device)
    faint *= scale
    amplitude = torch.rand(32, 15, device=device) * 5
    for call in (
        lambda **o: phase_swap_both(faint, other, **o),
        lambda **o: vb.power_equalize(faint, amplitude, **o),
        lambda **o: vb.random_phase(faint, sample_ids=["a"], **o),
    ):
        wanted = call(dtype=torch.float64, backend="reference").cpu()
        assert_within(call(backend=backend), wanted, SPECTRUM_MIX[torch.float32])
    if scale < 1e-12:
        assert (vb.cue_conflict(faint, other, backend=backend) - other).abs().max() < 1e-5


@pytest.mark.parametrize("backend", SILHOUETTE.impls)
def test_silhouettes_by_method(backend):
    shape = torch.ones(1, 3, 8, 8)
    shape[..., 2:6, 2:6] = 0.0
    texture = torch.rand(1, 3, 8, 8)
    y = vb.cue_conflict(shape, texture, method="silhouette", backend=backend)
    assert (y[..., 2:6, 2:6] - texture[..., 2:6, 2:6]).abs().max() < 1e-6
    assert (y[..., 0, :] - 0.5).abs().max() < 1e-6


X = torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: vb.cue_conflict(X, X, method="adain"), vb.DataError, "one of phase, silhouette; got 'adain'"),
        (lambda: vb.cue_conflict(X, X[..., 1:]), vb.ShapeError, r"texture must be float32 \(2, 3, 8, 8\)"),
        (lambda: vb.cue_conflict(X, X.double()), vb.ShapeError, "got float64"),
        (lambda: vb.cue_conflict(X, None), vb.ShapeError, "got NoneType"),
        (lambda: phase_swap_both(X, X[:1]), vb.ShapeError, r"b must be float32 \(2, 3, 8, 8\)"),
        (lambda: phase_swap_both(X, X - 2), vb.ShapeError, r"b must be in \[0, 1\]"),
        (lambda: vb.cue_conflict(X + 2, X), vb.ShapeError, r"shape must be in \[0, 1\]"),
        (lambda: vb.cue_conflict(X, X - 2), vb.ShapeError, r"texture must be in \[0, 1\]"),
        (lambda: vb.random_phase(X, sample_ids=["a"]), vb.ShapeError, "for each of 2 images, got 1"),
        (lambda: vb.random_phase(X, sample_ids=ids(2), seed=-1), vb.ShapeError, "seed must be a whole number"),
        (lambda: vb.random_phase(X.clone().requires_grad_(), sample_ids=ids(2)), vb.ShapeError, "no gradient"),
        (lambda: vb.phase_noise(X, width=181, sample_ids=ids(2)), vb.ShapeError, r"\[0, 180\], got 181"),
        (lambda: vb.phase_noise(X, width=float("nan"), sample_ids=ids(2)), vb.ShapeError, r"\[0, 180\], got nan"),
        (lambda: vb.random_phase(X, sample_ids=None), vb.ShapeError, "one text an image, got None"),
        (lambda: vb.power_equalize(X, torch.zeros(8, 8)), vb.ShapeError, r"must be \(8, 5\) or \(3, 8, 5\)"),
        (lambda: vb.power_equalize(X, -torch.ones(8, 5)), vb.ShapeError, "at least 0"),
        (lambda: vb.power_equalize(X, torch.full((8, 5), torch.nan)), vb.ShapeError, "at least 0"),
        (lambda: vb.power_equalize(X, torch.full((8, 5), 1e13)), vb.ShapeError, "at most 1e\\+12"),
        (lambda: vb.mean_amplitude(X[:0]), vb.ShapeError, "at least one image"),
        (lambda: vb.cue_conflict(X, X, backend="gpu"), vb.BackendError, "must be one of"),
        (lambda: vb.cue_conflict(X, X, backend="cuda"), vb.BackendError, "x is on cpu, it works on CUDA devices"),
    ],
)
def test_bad_input(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("value", [255.0, -1.0, torch.nan, torch.inf])
@pytest.mark.parametrize("name", CALLS)
def test_pixels_outside_the_range_are_refused(name, value, make_images):
    x = make_images(2, 3, 16, 16, torch.float32)
    x[1, 2, 3, 4] = value
    with pytest.raises(vb.ShapeError, match=r"must be in \[0, 1\] where it is floating, got values"):
        CALLS[name][0](x)
