# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernel of spectrum_mix, run on the host."""

import pytest
import torch
from tolerances import PHASES, SPECTRUM_MIX, assert_within

from visionbias.ops.cuda import Limits
from visionbias.ops.output import Output
from visionbias.ops.spectrum_mix.cuda import CudaKernel, fewest_panels, frequencies, radices, refuse, shared_bytes
from visionbias.ops.spectrum_mix.kernels import ReferenceKernel
from visionbias.ops.spectrum_mix.spec import Spec

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
CPU = torch.device("cpu")
H100, SMALL = 232448, 101376  # bytes of shared memory that a block can have


def normals_for(images):
    """White noise: whole numbers would now and then make a frequency that is exactly zero, and has no phase."""
    generator = torch.Generator().manual_seed(int(images.double().sum() * 1000))
    return torch.randn(images.shape, generator=generator)


# (kernel, a, b, out) fills out [F, N, C, H, W]; then F, and how exact it is
METHODS = {
    "phase_swap": (lambda k, a, b, y: k.phase_swap(a, b, y[0]), 1, SPECTRUM_MIX),
    "phase_swap_both": (lambda k, a, b, y: k.phase_swap_both(a, b, y), 2, SPECTRUM_MIX),
    "random_phase": (lambda k, a, b, y: k.random_phase(a, normals_for(b), y[0]), 1, SPECTRUM_MIX),
    "phase_noise": (
        lambda k, a, b, y: k.phase_noise(a, b[:, 0, :, : a.shape[3] // 2 + 1] / 255.0, 150.0, y[0]),
        1,
        PHASES,
    ),
    "power_equalize": (
        lambda k, a, b, y: k.power_equalize(a, b[0, :, :, : a.shape[3] // 2 + 1].float(), y[0]),
        1,
        SPECTRUM_MIX,
    ),
    "one amplitude": (
        lambda k, a, b, y: k.power_equalize(a, b[0, 0, :, : a.shape[3] // 2 + 1].double(), y[0]),
        1,
        SPECTRUM_MIX,
    ),
}


def mixed(launch, name, a, b, dtype=torch.float32, room=H100, out=None, multiprocessors=2):
    call, directions, _ = METHODS[name]
    n, c, h, w = a.shape
    spec = Spec(h, w, a.dtype, Output(MEAN[:c], STD[:c], dtype, CPU))
    y = torch.full((directions, n, c, h, w), torch.nan, dtype=dtype) if out is None else out
    call(CudaKernel(spec, launch, Limits(room, multiprocessors)), a, b, y)
    wanted = torch.full((directions, n, c, h, w), torch.nan, dtype=torch.float64)
    call(ReferenceKernel(spec), a, b, wanted)
    return y, wanted


@pytest.mark.parametrize("name", METHODS)
def test_every_method(launch, name, make_images):
    for dtype in (torch.uint8, torch.float32):
        pair = [make_images(2, 3, 32, 32, dtype) for _ in range(2)]
        y, wanted = mixed(launch, name, *pair)
        assert_within(y, wanted, METHODS[name][2][torch.float32], 2.0)


def room_for(height, width, panels):
    room = shared_bytes(height, width, panels)
    assert fewest_panels(height, width, room) == panels
    return room


# Sides of one and of three passes, of every radix but 16, and panels that do not divide them.
@pytest.mark.parametrize(("size", "panels"), [((14, 540), 1), ((60, 98), 1), ((48, 80), 5), ((36, 50), 2)], ids=str)
def test_sizes_and_panels(launch_reversed, size, panels, make_images):
    h, w = size
    pair = [make_images(1, 1, h, w) for _ in range(2)]
    y, wanted = mixed(launch_reversed, "phase_swap_both", *pair, room=room_for(h, w, panels))
    assert_within(y, wanted, SPECTRUM_MIX[torch.float32], 2.0)


@pytest.mark.parametrize("room", [H100, SMALL], ids=["one panel", "two panels"])
def test_one_case_of_full_size(launch_reversed, room, make_images):
    assert fewest_panels(224, 224, room) == 1 + (room < H100)
    pair = [make_images(1, 1, 224, 224) for _ in range(2)]
    y, wanted = mixed(launch_reversed, "phase_swap", *pair, room=room)
    assert_within(y, wanted, SPECTRUM_MIX[torch.float32], 2.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced"])
def test_outputs_of_any_kind(launch, dtype, layout, make_images):
    pair = [make_images(2, 3, 32, 32, layout=layout) for layout in ("interleaved", "transposed")]
    buffer = torch.full((1, 2, 3, 32, 64), torch.nan, dtype=dtype)
    if layout == "channels_last":
        out = buffer.view(1, 2, 64, 32, 3)[:, :, :32].movedim(-1, -3)
    else:
        out = buffer[..., ::2] if layout == "sliced" else buffer[..., :32]
    y, wanted = mixed(launch, "phase_swap", *pair, dtype=dtype, out=out)
    assert_within(y, wanted, SPECTRUM_MIX[dtype], 2.0)
    assert int(buffer.isnan().sum()) == buffer.numel() // 2


def test_flat_images_have_no_phase(launch, make_images):
    flat = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    for a, b in ((flat, make_images(1, 3, 32, 32)), (make_images(1, 3, 32, 32), flat)):
        y, wanted = mixed(launch, "phase_swap_both", a, b)
        assert_within(y, wanted, SPECTRUM_MIX[torch.float32], 2.0)


def test_batch_and_number_of_blocks_do_not_show(launch, make_images):
    pair = [make_images(3, 3, 32, 32) for _ in range(2)]
    y, _ = mixed(launch, "phase_swap", *pair)
    assert torch.equal(y, mixed(launch, "phase_swap", *pair, multiprocessors=1)[0])
    assert torch.equal(y[:, 1:2], mixed(launch, "phase_swap", *(images[1:2] for images in pair))[0])


def test_no_images(launch):
    none = torch.empty(0, 3, 32, 32)
    assert mixed(launch, "phase_swap", none, none)[0].numel() == 0


@pytest.mark.parametrize("n", [2, 14, 30, 224, 256, 384, 540, 2048])
def test_transforms_in_place_leave_every_frequency_once(n):
    order = frequencies(n)
    assert sorted(order.tolist()) == list(range(n))
    assert order[0] == 0
    product = 1
    for radix in radices(n):
        product *= radix
    assert product == n
    assert max(radices(n)) <= 16


@pytest.mark.parametrize(
    ("height", "width", "reason"),
    [(31, 32, "side 31 is odd"), (22, 32, "side 22 has a prime factor over 7"), (32, 32, "x is on cpu")],
)
def test_what_is_refused(height, width, reason):
    assert reason in refuse(Spec(height, width, torch.uint8, Output((0.0,), (1.0,), torch.float32, CPU)))


def test_negated_views(launch_reversed, make_images):
    """The imaginary part of a conjugate is stored with its other sign."""
    pair = [make_images(1, 3, 32, 32, torch.float32) for _ in range(2)]
    y, _ = mixed(launch_reversed, "phase_swap", *pair)
    a, b = (torch.complex(torch.zeros_like(x), -x).conj().imag for x in pair)
    out = torch.full(y.shape, torch.nan, dtype=torch.complex64).conj().imag
    assert a.is_neg()
    assert out.is_neg()
    version = out._version
    assert torch.equal(mixed(launch_reversed, "phase_swap", a, b, out=out)[0], y)
    assert out._version > version
