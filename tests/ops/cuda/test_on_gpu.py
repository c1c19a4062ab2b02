# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels on a GPU: against float64, on streams and other devices, again, and what they refuse."""

from contextlib import suppress
from importlib.util import find_spec

import pytest
import torch
from tolerances import BAND_NOISE, CRITICAL_BAND, PHASES, SPECTRUM_MIX, assert_within

import visionbias as vb
from visionbias.ops.philox import sample_keys, unit_normals
from visionbias.ops.spectrum_mix import phase_swap_both
from visionbias.runtime import nvrtc

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
    pytest.mark.skipif(find_spec("cupy") is None, reason="CuPy is not installed"),
]

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
OPTIONS = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
CPU = torch.device("cpu")


def noisy(x, _, **options):
    ids = [f"{i}.png" for i in range(len(x))]
    return vb.critical_band(x, bands=(4, 6), noise_sds=(0.05, 0.16), sample_ids=ids, **options)


def random_phase(x, _, **options):
    return vb.random_phase(x, sample_ids=[f"{i}.png" for i in range(len(x))], **options)


def phase_noise(x, _, **options):
    return vb.phase_noise(x, width=150.0, sample_ids=[f"{i}.png" for i in range(len(x))], **options)


# (a, b, options) -> stimuli, and how exact they are
CALLS = {
    "critical_band": (noisy, CRITICAL_BAND),
    "phase_swap": (lambda a, b, **o: vb.cue_conflict(a, b, **o), SPECTRUM_MIX),
    "phase_swap_both": (lambda a, b, **o: phase_swap_both(a, b, **o), SPECTRUM_MIX),
    "random_phase": (random_phase, SPECTRUM_MIX),
    "phase_noise": (phase_noise, PHASES),
    "power_equalize": (lambda a, b, **o: vb.power_equalize(a, vb.mean_amplitude(b), **o), SPECTRUM_MIX),
}


def assert_same(y, wanted, tolerance):
    got = y.cpu().double()
    near = (got - wanted).abs() > 0.1 if tolerance is CRITICAL_BAND else torch.zeros_like(wanted, dtype=torch.bool)
    assert near.double().mean() < 1e-4  # a pixel of noise within rounding of a bound may fall on its other side
    assert_within(torch.where(near, wanted, got), wanted, tolerance[y.dtype], 2.0)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("size", [(32, 32), (64, 64), (48, 80), (224, 224), (256, 256)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_op_against_float64(name, size, dtype, make_images):
    call, tolerance = CALLS[name]
    for kind, layout in ((torch.uint8, "interleaved"), (torch.float32, "contiguous"), (torch.float32, "transposed")):
        pair = [make_images(2, 3, *size, kind, layout) for _ in range(2)]
        wanted = call(*pair, dtype=torch.float64, backend="reference", **OPTIONS)
        for stored in ("contiguous", "channels_last", "sliced"):
            h, w = wanted.shape[-2:]
            if stored == "channels_last":
                out = torch.full((*wanted.shape[:-3], h, w, 3), torch.nan, dtype=dtype, device="cuda").movedim(-1, -3)
            else:
                step = 2 if stored == "sliced" else 1
                out = torch.full((*wanted.shape[:-1], w * step), torch.nan, dtype=dtype, device="cuda")[..., ::step]
            y = call(*(images.cuda() for images in pair), dtype=dtype, out=out, backend="cuda", **OPTIONS)
            assert_same(y, wanted, tolerance)


@pytest.mark.parametrize("name", CALLS)
def test_again_gives_the_same_bits_in_any_batch(name, make_images):
    call, _ = CALLS[name]
    pair = [make_images(5, 3, 224, 224).cuda() for _ in range(2)]
    if name == "power_equalize":
        pair[1] = pair[1][:1]
    first = call(*pair, backend="cuda")
    for _ in range(3):
        assert torch.equal(call(*pair, backend="cuda"), first)
    images = first.ndim - 4
    alone = call(pair[0][:1], pair[1][:1], backend="cuda")
    assert torch.equal(first.narrow(images, 0, 1), alone)


@pytest.mark.parametrize("name", CALLS)
def test_work_waits_for_what_its_stream_holds(name, make_images):
    call, tolerance = CALLS[name]
    pair = [make_images(2, 3, 64, 64, torch.float32) for _ in range(2)]
    wanted = call(*pair, dtype=torch.float64, backend="reference")
    call(*(images.cuda() for images in pair), backend="cuda")  # compiled before, so that nothing else waits
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        device = [torch.zeros(2, 3, 64, 64, device="cuda") for _ in pair]
        torch.cuda._sleep(50_000_000)
        for target, images in zip(device, pair, strict=True):
            target.copy_(images)
        y = call(*device, backend="cuda")
    stream.synchronize()
    assert_same(y, wanted, tolerance)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU only")
@pytest.mark.parametrize("name", CALLS)
def test_another_device_than_the_current_one(name, make_images):
    call, tolerance = CALLS[name]
    pair = [make_images(2, 3, 64, 64) for _ in range(2)]
    y = call(*(images.to("cuda:1") for images in pair), backend="cuda")
    assert y.device == torch.device("cuda:1")
    assert torch.cuda.current_device() == 0
    assert_same(y, call(*pair, dtype=torch.float64, backend="reference"), tolerance)


@pytest.mark.parametrize("n", [1, 4, 1023, 50176])
def test_normals_have_the_bits_of_the_cpu(n):
    keys = sample_keys("test", ["a", "b", "é"], 3)
    for seed in (0, 2**63 + 5):
        drawn = unit_normals(seed, 77, keys, n, torch.device("cuda"), "cuda").cpu()
        assert torch.equal(drawn.view(torch.int32), unit_normals(seed, 77, keys, n, CPU).contiguous().view(torch.int32))


def test_unit_noise():
    field = torch.randn(3, 224, 224)
    wanted = vb.band_noise(field, dtype=torch.float64, backend="reference")
    assert_within(vb.band_noise(field.cuda(), backend="cuda"), wanted, BAND_NOISE)


def test_no_images():
    none = torch.empty(0, 3, 32, 32, device="cuda")
    for call, _ in (CALLS["phase_swap"], CALLS["critical_band"], CALLS["random_phase"]):
        assert call(none, none, backend="cuda").numel() == 0


def test_mixed_devices_are_refused(make_images):
    x = make_images(1, 3, 32, 32)
    with pytest.raises(vb.ShapeError, match=r"must be .* on cuda"):
        vb.cue_conflict(x.cuda(), x, backend="cuda")
    with pytest.raises(vb.ShapeError, match="noise must be on cuda"):
        vb.critical_band(x.cuda(), bands=[6], noise=torch.randn(1, 32, 32), backend="cuda")


def test_an_image_too_large_for_shared_memory_goes_to_torch():
    x = torch.rand(1, 3, 640, 640, device="cuda")
    with pytest.raises(vb.BackendError, match="bytes of shared memory"):
        noisy(x, x, backend="cuda")
    assert noisy(x, x).isfinite().all()


def test_the_compilers_log_is_in_the_error(tmp_path):
    (tmp_path / "broken.cu").write_text('extern "C" __global__ void broken() { no_such_name(); }')
    program = nvrtc.Program(str(tmp_path / "broken.cu"), 32, 0)
    arguments = nvrtc.ctypes.c_int(0)
    with pytest.raises(vb.BackendError, match=r"(?s)NVRTC does not compile.*no_such_name"):
        nvrtc.launch(program, "broken", 1, arguments, torch.device("cuda"))


def test_no_memory_for_the_workspace(make_images):
    x = make_images(2, 3, 224, 224).cuda()
    y = vb.cue_conflict(x, x, backend="cuda")
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**20) / whole)
    rest = []  # what torch still has
    try:
        with suppress(torch.OutOfMemoryError):
            while True:
                rest.append(torch.empty(2**20, dtype=torch.uint8, device="cuda"))
        with pytest.raises(vb.BackendError, match="no memory on cuda"):
            vb.cue_conflict(x, x, backend="cuda", out=y)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
