# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""pgd against foolbox, against what can be computed by hand, and within bands; what does not change it; bad input."""

import warnings
from collections.abc import Callable, Iterator

import eagerpy
import pytest
import torch
from torch import Tensor, nn

import visionbias as vb
from visionbias.ops.philox import sample_keys, stream, unit_uniforms

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # foolbox imports from a module that SciPy has renamed
    import foolbox

EPS = 4 / 255
IDS = [f"image{i}" for i in range(6)]
BANDS = [
    vb.lowpass(0.3),
    vb.lowpass(0.2, "gaussian"),
    vb.highpass(0.4),
    vb.bandpass(0.2, 0.5),
    vb.bandpass(0.1, 0.4, "butterworth"),
    vb.octave(2),
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def smooth_net(dtype: torch.dtype = torch.float32) -> nn.Module:
    """A seeded classifier of five classes with a slope everywhere."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = nn.Conv2d(3, 12, 5), nn.Tanh(), nn.Conv2d(12, 12, 3, stride=2), nn.Tanh(), nn.Flatten()
        net = nn.Sequential(*layers, nn.Linear(12 * 9 * 9, 5))
        net[0].weight.data *= 6  # far from linear: slopes change their signs on the way
    return net.to(dtype).eval()


def random_images(dtype: torch.dtype = torch.float32, low: float = 0.0, high: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = low + (high - low) * torch.rand((6, 3, 24, 24), generator=generator, dtype=torch.float64)
    x[0, :, :8] = x[0, :, :8].round()  # pixels at the bounds
    return (x.clamp(low, high)).to(dtype), torch.tensor([0, 1, 2, 3, 4, 0])


def losses(net: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return nn.functional.cross_entropy(net(x), labels, reduction="none")


@pytest.mark.parametrize("step_size", [None, 8 / 255], ids=["quarter", "larger-than-eps"])
@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize(("dtype", "may_differ"), [(torch.float64, 0.0), (torch.float32, 2e-3)])
def test_foolbox_gives_the_same_images(
    dtype: torch.dtype, may_differ: float, random_start: bool, step_size: float | None
) -> None:
    """In float32 a slope next to zero may have another sign."""
    net, (x, labels) = smooth_net(dtype), random_images(dtype)
    start = 2 * unit_uniforms(7, stream("pgd"), sample_keys("test", IDS, 6), 3 * 24 * 24, x.device) - 1

    class FromOurStart(foolbox.attacks.LinfPGD):
        def get_random_start(self, x0: object, epsilon: float) -> object:
            return x0 + eagerpy.astensor(EPS * start.view_as(x).to(dtype))

    theirs = FromOurStart(abs_stepsize=step_size or EPS / 4, steps=12, random_start=random_start)
    wanted = theirs.run(
        foolbox.PyTorchModel(net, bounds=(0, 1)), x, foolbox.criteria.Misclassification(labels), epsilon=EPS
    )
    got = vb.pgd(
        net, x, labels, eps=EPS, steps=12, step_size=step_size, random_start=random_start, seed=7, sample_ids=IDS
    )
    assert got.dtype == dtype
    assert ((got - wanted).abs() > 1e-6).double().mean() <= may_differ
    assert (losses(net, got, labels) > losses(net, x, labels) + 0.1).all()


@pytest.mark.parametrize("random_start", [True, False])
def test_of_a_linear_classifier_the_worst_image_is_known(random_start: bool) -> None:
    x, _ = random_images(torch.float64)
    weights = torch.linspace(-1, 1, 3 * 24 * 24, dtype=torch.float64)  # never 0
    labels = torch.tensor([0, 1] * 3)

    def model(images: Tensor) -> Tensor:
        towards = images.flatten(1) @ weights
        return torch.stack([towards, -towards], dim=1)

    got = vb.pgd(model, x, labels, eps=EPS, steps=10, random_start=random_start, sample_ids=IDS)
    away = torch.where(labels == 0, -1.0, 1.0)[:, None] * weights.sign()
    assert (got - (x + EPS * away.view_as(x)).clamp(0, 1)).abs().max() < 1e-15


def test_no_pixel_moves_further_or_leaves_the_range_and_kinds_of_images_agree() -> None:
    net, labels = smooth_net(), torch.tensor([0, 1, 2, 3, 4, 0])
    u8 = (random_images()[0] * 255).round().to(torch.uint8)
    options: dict[str, object] = {"eps": EPS, "steps": 7, "sample_ids": IDS}
    got = vb.pgd(net, u8, labels, **options)  # type: ignore[arg-type]
    assert got.dtype == torch.float32
    assert not got.requires_grad
    assert (got - u8 / 255).abs().max() <= EPS * (1 + 1e-5)
    assert ((got >= 0) & (got <= 1)).all()
    assert torch.equal(got, vb.pgd(net, u8 / 255, labels, **options))  # type: ignore[arg-type]
    last = vb.pgd(net, u8.contiguous(memory_format=torch.channels_last), labels, **options)  # type: ignore[arg-type]
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert ((last - got).abs() > 1e-6).double().mean() < 2e-3
    with torch.inference_mode():
        made_here = u8.clone()
        assert torch.equal(vb.pgd(net, made_here, labels.clone(), **options), got)  # type: ignore[arg-type]
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("band", [None, BANDS[3]], ids=["all", "band"])
def test_an_attack_depends_on_the_sample_and_the_seed_alone(band: vb.Band | None) -> None:
    net, (x, labels) = smooth_net(), random_images()

    def attack(order: list[int], seed: int = 0) -> Tensor:
        ids = [IDS[i] for i in order]
        return vb.pgd(net, x[order], labels[order], eps=EPS, steps=5, sample_ids=ids, seed=seed, band=band)

    whole = attack([0, 1, 2, 3, 4, 5])
    assert torch.equal(attack([5, 0, 3, 1, 4, 2]), whole[[5, 0, 3, 1, 4, 2]])
    assert torch.equal(attack([0, 1, 1, 1, 1, 1])[:2], whole[:2])
    assert not torch.equal(attack([0, 1, 2, 3, 4, 5], seed=1), whole)
    fixed = [vb.pgd(net, x, labels, eps=EPS, steps=5, seed=s, random_start=False, band=band) for s in (0, 1)]
    assert torch.equal(*fixed)


@pytest.mark.parametrize("band", [None, BANDS[3]], ids=["all", "band"])
def test_every_device_repeats_itself_and_agrees_with_the_cpu(device: str, band: vb.Band | None) -> None:
    net, (x, labels) = smooth_net(torch.float64), random_images(torch.float64)
    on_cpu = vb.pgd(net, x, labels, eps=EPS, steps=5, sample_ids=IDS, band=band)
    net, x, labels = net.to(device), x.to(device), labels.to(device)
    once, again = (vb.pgd(net, x, labels, eps=EPS, steps=5, sample_ids=IDS, band=band) for _ in range(2))
    assert torch.equal(once, again)
    assert ((once.cpu() - on_cpu).abs() > 1e-9).double().mean() < 1e-3


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_a_perturbation_stays_in_its_band(band: vb.Band) -> None:
    net, (x, labels) = smooth_net(torch.float64), random_images(torch.float64, 0.2, 0.8)
    got = vb.pgd(net, x, labels, eps=EPS, steps=20, sample_ids=IDS, band=band)
    shift = got - x
    assert shift.abs().amax(dim=(1, 2, 3)).tolist() == pytest.approx([EPS] * 6)
    outside = torch.from_numpy(band.mask(24, 24) == 0)
    spectrum = torch.fft.rfft2(shift).abs()
    assert outside.any() or band.window in ("gaussian", "butterworth")
    assert (spectrum * outside).max() < 1e-12 < spectrum.max()
    # Better than the best of many random perturbations of the same band and size.
    generator = torch.Generator().manual_seed(0)
    mask, clean = torch.from_numpy(band.mask(24, 24)), losses(net, x, labels)
    best = clean
    for _ in range(20):
        field = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        field = torch.fft.irfft2(torch.fft.rfft2(field) * mask, s=(24, 24))
        field *= EPS / field.abs().amax(dim=(1, 2, 3), keepdim=True)
        best = torch.maximum(best, losses(net, x + field, labels))
    assert (losses(net, got, labels) > best).all()


def test_in_a_band_the_slope_of_that_band_counts() -> None:
    """A linear classifier that weighs coarse detail more than a checkerboard: by sign all of its slope is coarse."""
    x, _ = random_images(torch.float64, 0.2, 0.8)
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
    checkerboard = (1 - 2 * ((rows + columns) % 2)).double()

    def model(images: Tensor) -> Tensor:
        towards = (images * (2 + checkerboard)).sum(dim=(1, 2, 3))
        return torch.stack([-towards, towards], dim=1)

    got = vb.pgd(model, x, torch.zeros(6, dtype=torch.int64), eps=EPS, random_start=False, band=vb.highpass(0.4))
    assert (got - x - EPS * checkerboard).abs().max() < 1e-12


def test_clipping_alone_leaves_the_band() -> None:
    net, (x, labels) = smooth_net(torch.float64), random_images(torch.float64)
    band = BANDS[3]
    got = vb.pgd(net, x, labels, eps=EPS, steps=20, sample_ids=IDS, band=band)
    assert ((got >= 0) & (got <= 1)).all()
    assert (got - x).abs().max() <= EPS * (1 + 1e-12)
    outside = torch.from_numpy(band.mask(24, 24) == 0)
    share = (torch.fft.rfft2(got - x).abs().square() * outside).sum() / torch.fft.rfft2(got - x).abs().square().sum()
    assert 0 < share < 0.2


def test_no_images_are_no_work() -> None:
    x = torch.zeros(0, 3, 24, 24)
    got = vb.pgd(smooth_net(), x, torch.zeros(0, dtype=torch.int64), sample_ids=[])
    assert got.shape == x.shape


class Odd(nn.Module):
    """Returns what a function makes of the images."""

    def __init__(self, make: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.make = make
        self.eval()

    def forward(self, x: Tensor) -> object:
        return self.make(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": 0.0}, r"eps must be a number in \[1e-06, 1\], got 0"),
        ({"eps": -0.1}, "eps must be a number"),
        ({"eps": 1.1}, "eps must be a number"),
        ({"eps": float("nan")}, "eps must be a number"),
        ({"eps": "0.5"}, "eps must be a number"),
        ({"step_size": 0}, "step_size must be a number"),
        ({"step_size": float("inf")}, "step_size must be a number"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, r"labels must be int64 \[6\]"),
        ({"labels": torch.zeros(6)}, r"labels must be int64 \[6\], a class an image, got torch.float32"),
        ({"labels": torch.full((6,), 5)}, "labels must be classes of the model, 0 to 4, got 5 to 5"),
        ({"labels": torch.full((6,), -1)}, "labels must be classes of the model"),
        ({"sample_ids": None}, "a random start needs sample_ids"),
        ({"sample_ids": IDS[:5]}, "wanted a sample id for each of 6 images, got 5"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"band": "lowpass"}, "band must be a Band"),
        ({"band": vb.highpass(0.1, offset=0.5)}, "band must be a Band without an offset"),
        ({"band": vb.bandpass(0.001, 0.002)}, r"bandpass-0.001-0.002-disk holds no frequency of images of 24 x 24"),
        ({"x": torch.zeros(3, 24, 24)}, r"x must be \[N, C, H, W\]"),
        ({"x": torch.full((6, 3, 24, 24), 2.0)}, r"x must be in \[0, 1\]"),
        ({"x": torch.zeros(6, 3, 24, 24, requires_grad=True)}, "it has no gradient, and x requires one"),
        ({"labels": torch.zeros(6, dtype=torch.int64, device="meta")}, "labels must hold values"),
        ({"model": nn.Sequential(smooth_net(), nn.Dropout())}, r"evaluation mode, .*; call model\.eval\(\)"),
        ({"model": Odd(lambda x: x.sum())}, r"model must return logits \[6, K\], got \(\)"),
        ({"model": Odd(lambda x: None)}, r"model must return logits \[6, K\], got NoneType"),
        ({"model": Odd(lambda x: torch.zeros(6, 5))}, "got logits without one"),
        ({"model": Odd(lambda x: torch.zeros(6, 5, requires_grad=True))}, "got logits without one"),
        ({"model": Odd(lambda x: x[:, 0, 0, :5].sub(x[:, 0, 0, :5]).sqrt())}, "NaN or infinity for 6 of 6 images"),
    ],
)
def test_bad_input_is_one_clear_error(changes: dict[str, object], message: str) -> None:
    x, labels = random_images()
    options: dict[str, object] = {"model": smooth_net(), "x": x, "labels": labels, "steps": 2, "sample_ids": IDS}
    with pytest.raises(vb.ShapeError, match=message):
        vb.pgd(**options | changes)  # type: ignore[arg-type]


def test_more_memory_than_there_is() -> None:
    x, labels = random_images()
    with pytest.raises(vb.BackendError, match=r"pgd: no memory on cpu .* pass fewer images at a time"):
        vb.pgd(lambda images: images[:, 0, 0] + torch.empty(2**45), x, labels, sample_ids=IDS)
