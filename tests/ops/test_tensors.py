# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every tensor that an op reads or writes: views, aliases, gradients, tensors without values, tracers."""

import copy
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from instruction_sets import ENGINE
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

import visionbias as vb
from visionbias.ops import filter_bank, image_threads, native
from visionbias.ops.band_noise import function as band_noise
from visionbias.ops.normalize import function as normalize
from visionbias.ops.output import writing
from visionbias.ops.spectrum_mix import kernels as spectrum_mix
from visionbias.ops.spectrum_mix import phase_swap_both

IDS = ("a", "b")
BANDS = (vb.lowpass(0.5), vb.highpass(0.3))
IMAGES, ONE, FIELD, HALF = (2, 3, 8, 8), (2, 1, 8, 8), (2, 8, 8), (8, 5)

# Op -> a call of it, the shapes of the tensors that it reads, and the shape of its output.
OPS: dict[str, tuple[Callable[..., Tensor], dict[str, tuple[int, ...]], tuple[int, ...]]] = {
    "filter_bank": (lambda x, **o: vb.filter_bank(x, BANDS, **o), {"x": IMAGES}, (2, *IMAGES)),
    "normalize": (lambda x, **o: vb.normalize(x, [0.4] * 3, [0.2] * 3, **o), {"x": IMAGES}, IMAGES),
    "critical_band": (
        lambda x, noise, **o: vb.critical_band(x, noise=noise, bands=[6], noise_sds=[0.1], **o),
        {"x": IMAGES, "noise": FIELD},
        (1, 1, *IMAGES),
    ),
    "cue_conflict": (vb.cue_conflict, {"shape": IMAGES, "texture": IMAGES}, IMAGES),
    "phase_swap_both": (phase_swap_both, {"a": IMAGES, "b": IMAGES}, (2, *IMAGES)),
    "random_phase": (lambda x, **o: vb.random_phase(x, sample_ids=IDS, **o), {"x": IMAGES}, IMAGES),
    "phase_noise": (lambda x, **o: vb.phase_noise(x, width=60.0, sample_ids=IDS, **o), {"x": IMAGES}, IMAGES),
    "power_equalize": (vb.power_equalize, {"x": IMAGES, "amplitude": HALF}, IMAGES),
    "patch_shuffle": (lambda x, **o: vb.patch_shuffle(x, grid=2, sample_ids=IDS, **o), {"x": IMAGES}, IMAGES),
    "silhouette": (vb.silhouette, {"mask": ONE, "texture": IMAGES, "ground": IMAGES}, IMAGES),
    "desaturate": (vb.desaturate, {"x": IMAGES}, IMAGES),
    "band_noise": (lambda noise, **o: vb.band_noise(noise, bands=[6], **o), {"noise": FIELD}, (1, *FIELD)),
    "mean_amplitude": (vb.mean_amplitude, {"x": IMAGES}, (3, *HALF)),
}
DIFFERENTIABLE = ("filter_bank", "normalize")
WITHOUT_OUT = ("band_noise", "mean_amplitude")
INPUTS = [(op, name) for op, (_, shapes, _) in OPS.items() for name in shapes]


def tensors_of(op: str) -> dict[str, Tensor]:
    return {name: torch.rand(shape) for name, shape in OPS[op][1].items()}


def negative(x: Tensor) -> Tensor:
    """The same numbers, of which memory holds the opposite, as the imaginary part of a conjugate has them."""
    view = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert view.is_neg()
    return view


@pytest.mark.parametrize(("op", "name"), INPUTS)
def test_negative_views_are_their_numbers(op: str, name: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    wanted = call(**tensors)
    for view in (negative(tensors[name]), torch._neg_view(-tensors[name])):
        torch.testing.assert_close(call(**tensors | {name: view}), wanted, rtol=0, atol=2e-7)


@pytest.mark.parametrize("op", [op for op in OPS if op not in WITHOUT_OUT])
def test_negative_views_are_written_as_their_numbers(op: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    wanted = call(**tensors)
    for out in (negative(torch.zeros(OPS[op][2])), torch._neg_view(torch.zeros(OPS[op][2]))):
        assert call(**tensors, out=out) is out
        torch.testing.assert_close(out.resolve_neg(), wanted, rtol=0, atol=2e-7)


def test_negative_bytes_are_their_numbers() -> None:
    x = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    options = {"memory_format": torch.channels_last}
    wanted = vb.normalize(x, [0.4] * 3, [0.2] * 3, **options)
    torch.testing.assert_close(vb.normalize(torch._neg_view(-x), [0.4] * 3, [0.2] * 3, **options), wanted)


@pytest.mark.parametrize(("op", "name"), [case for case in INPUTS if case[0] not in WITHOUT_OUT])
def test_out_in_the_memory_of_an_input(op: str, name: str) -> None:
    call, shapes, shape = OPS[op]
    size, written = torch.Size(shapes[name]).numel(), torch.Size(shape).numel()
    buffer = torch.rand(size + written)
    tensors = tensors_of(op) | {name: buffer[:size].view(shapes[name])}
    for start in (0, size - 1):
        with pytest.raises(vb.ShapeError, match=f"{op}: out must not lie in the memory of {name}"):
            call(**tensors, out=buffer[start : start + written].view(shape))
    beside = buffer[size:].view(shape)
    assert torch.equal(call(**tensors, out=beside), call(**tensors))


@pytest.mark.parametrize(("op", "name"), [case for case in INPUTS if case[0] not in DIFFERENTIABLE])
def test_gradients_that_do_not_exist_are_refused(op: str, name: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    wanted, message = call(**tensors), f"{op}: it has no gradient, and {name} requires one"
    with pytest.raises(vb.ShapeError, match=message):
        call(**tensors | {name: tensors[name].clone().requires_grad_()})
    with torch.no_grad():
        assert torch.equal(call(**tensors | {name: tensors[name].clone().requires_grad_()}), wanted)
    with forward_ad.dual_level(), pytest.raises(vb.ShapeError, match=message):
        call(**tensors | {name: forward_ad.make_dual(tensors[name], tensors[name])})


def test_silhouettes_by_cue_conflict_have_no_gradient() -> None:
    pair = torch.rand(2, *IMAGES)
    with pytest.raises(vb.ShapeError, match="cue_conflict: it has no gradient, and shape requires one"):
        vb.cue_conflict(pair[0].clone().requires_grad_(), pair[1], method="silhouette")


def test_derivatives_of_the_differentiable() -> None:
    x = torch.rand(IMAGES)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises(vb.ShapeError, match=r"filter_bank: torch.func and forward mode have no derivative"):
            vb.filter_bank(dual, BANDS)
        tangent = forward_ad.unpack_dual(vb.normalize(dual, [0.4] * 3, [0.2] * 3)).tangent
        torch.testing.assert_close(tangent, torch.full_like(x, 5.0))
        with pytest.raises(vb.ShapeError, match="normalize: out= is not differentiable"):
            vb.normalize(dual, [0.4] * 3, [0.2] * 3, out=torch.empty(IMAGES))
    for call in (lambda i: vb.filter_bank(i, BANDS).sum(), lambda i: torch.vmap(OPS["filter_bank"][0])(i[None]).sum()):
        with pytest.raises(vb.ShapeError, match=r"filter_bank: torch.func and forward mode have no derivative"):
            torch.func.grad(call)(x)
    with pytest.raises(vb.ShapeError, match="normalize: backend 'native' has no gradient, and x requires one"):
        vb.normalize(x.requires_grad_(), [0.4] * 3, [0.2] * 3, backend="native")
    with pytest.raises(vb.ShapeError, match="filter_bank: it has no gradient, and x requires one"):
        vb.FilterBank(BANDS).plan(x).run(x)


@pytest.mark.parametrize("op", [op for op in OPS if op not in WITHOUT_OUT])
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_autograd_learns_that_out_has_changed(op: str, backend: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    out = torch.zeros(OPS[op][2])
    weight = torch.ones(1, requires_grad=True)
    product = weight * out
    call(**tensors, out=out, backend=backend)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


@pytest.mark.parametrize("op", [op for op in OPS if op not in WITHOUT_OUT])
def test_out_that_is_not_for_writing(op: str) -> None:
    call, tensors, shape = OPS[op][0], tensors_of(op), OPS[op][2]
    out = torch.zeros(shape, requires_grad=True)
    with pytest.raises(vb.ShapeError, match=f"{op}: it has no gradient, and out requires one"):
        call(**tensors, out=out)
    with torch.no_grad():
        call(**tensors, out=out)
    with torch.inference_mode():
        made = torch.zeros(shape)
        call(**tensors, out=made)
    with pytest.raises(vb.ShapeError, match=f"{op}: out was made in inference mode"):
        call(**tensors, out=made)
    with pytest.raises(vb.ShapeError, match=f"{op}: out must be a dense tensor, got a nested tensor"):
        call(**tensors, out=torch.nested.nested_tensor([torch.rand(3)]))
    emptied = torch.zeros(shape)
    emptied.untyped_storage().resize_(0)
    with pytest.raises(vb.ShapeError, match=f"{op}: out must have memory for each of its elements"):
        call(**tensors, out=emptied)


@pytest.mark.parametrize(("op", "name"), INPUTS)
def test_tensors_without_memory(op: str, name: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    message = f"{op}: {name} must have memory for each of its elements"
    with pytest.raises(vb.ShapeError, match=message):
        call(**tensors | {name: torch._efficientzerotensor(tensors[name].shape)})
    for size in (0, 8):
        short = tensors[name].clone()
        short.untyped_storage().resize_(size)
        with pytest.raises(vb.ShapeError, match=message):
            call(**tensors | {name: short})
    with pytest.raises(vb.ShapeError, match=f"{op}: {name} must be a dense tensor"):
        call(**tensors | {name: tensors[name].to_sparse()})
    with pytest.raises(vb.ShapeError, match=f"{op}: {name} must be a dense tensor, got a nested tensor"):
        call(**tensors | {name: torch.nested.nested_tensor([torch.rand(3)])})


@pytest.mark.parametrize(("op", "name"), [case for case in INPUTS if case[0] not in DIFFERENTIABLE])
def test_fake_tensors_never_reach_a_kernel(op: str, name: str) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    fake = FakeTensorMode(allow_non_fake_inputs=True).from_tensor(tensors[name])
    with pytest.raises(vb.BackendError, match=f"{op}: wanted a plain call on plain tensors, got a FakeTensor"):
        call(**tensors | {name: fake})


def test_fake_images_outside_their_mode() -> None:
    fake = FakeTensorMode().from_tensor(torch.rand(IMAGES))
    assert vb.filter_bank(fake, BANDS).shape == (2, *IMAGES)
    with pytest.raises(vb.BackendError, match="normalize: wanted a plain call on plain tensors, got a FakeTensor"):
        vb.normalize(fake, [0.4] * 3, [0.2] * 3)


def transforms(call: Callable[..., Tensor]) -> dict[str, Callable[[Tensor], object]]:
    return {
        "make_fx": lambda x: make_fx(call)(x),
        "make_fx of fakes": lambda x: make_fx(call, tracing_mode="fake")(x),
        "jit.trace": lambda x: torch.jit.trace(call, x),
        "vmap": lambda x: torch.vmap(call)(x[None]),
        "func.grad": lambda x: torch.func.grad(lambda i: call(i).sum())(x),
        "jvp": lambda x: torch.func.jvp(call, (x,), (x,)),
        "functionalize": lambda x: torch.func.functionalize(call)(x),
    }


@pytest.mark.parametrize("op", [op for op in OPS if op not in DIFFERENTIABLE])
@pytest.mark.parametrize("transform", transforms(torch.relu))
def test_what_would_miss_a_kernel_is_refused(op: str, transform: str) -> None:
    tensors = tensors_of(op)
    name, x = tensors.popitem()
    traced = transforms(lambda i: OPS[op][0](**tensors, **{name: i}))[transform]
    with pytest.raises(vb.BackendError, match=f"{op}: wanted a plain call on plain tensors, got a |got torch.jit"):
        traced(x)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("op", DIFFERENTIABLE)
@pytest.mark.parametrize("layout", ["contiguous", "interleaved"])
def test_traced_graphs_compute(op: str, layout: str, make_images: Callable[..., Tensor]) -> None:
    memory_format = torch.channels_last if layout == "interleaved" else torch.contiguous_format

    def call(x: Tensor) -> Tensor:
        return OPS[op][0](x, memory_format=memory_format)

    first, second = (make_images(2, 3, 8, 8, layout=layout) for _ in range(2))
    wanted = call(second)
    for graph in (make_fx(call)(first), make_fx(call, tracing_mode="fake")(first), torch.jit.trace(call, first)):
        for _ in range(2):
            torch.testing.assert_close(graph(second), wanted)
    with FakeTensorMode() as mode:
        fake = call(mode.from_tensor(first))
    assert (fake.shape, fake.stride(), fake.dtype) == (wanted.shape, wanted.stride(), wanted.dtype)
    meta = call(first.to("meta"))
    assert (meta.shape, meta.device.type) == (wanted.shape, "meta")


def test_vmap(make_images: Callable[..., Tensor]) -> None:
    x = torch.stack([make_images(2, 3, 8, 8, torch.float32) for _ in range(5)], dim=2)  # [N, C, 5, H, W]
    for call in (OPS["filter_bank"][0], OPS["normalize"][0]):
        wanted = torch.stack([call(part) for part in x.unbind(2)])
        torch.testing.assert_close(torch.vmap(call, in_dims=2)(x), wanted)
    twice = torch.vmap(torch.vmap(OPS["filter_bank"][0]))(x.movedim(2, 0)[None])
    torch.testing.assert_close(twice[0], torch.stack([vb.filter_bank(part, BANDS) for part in x.unbind(2)]))


def test_vmap_over_gradients(make_images: Callable[..., Tensor]) -> None:
    x = make_images(2, 3, 8, 8, torch.float32).requires_grad_()
    y = vb.filter_bank(x, BANDS)
    weights = torch.rand(4, *y.shape)
    (together,) = torch.autograd.grad(y, x, weights, is_grads_batched=True, retain_graph=True)
    for weight, one in zip(weights, together, strict=True):
        torch.testing.assert_close(torch.autograd.grad(y, x, weight, retain_graph=True)[0], one)


@pytest.mark.parametrize("threads", ["new", "kept"])
def test_a_compiled_caller_of_what_runs_on_threads(threads: str) -> None:
    x = torch.rand(IMAGES)
    wanted = vb.desaturate(x)
    if threads == "new":
        image_threads._workers.cache_clear()
    torch._dynamo.reset()
    assert torch.equal(torch.compile(lambda i: vb.desaturate(i), backend="eager")(x), wanted)


@pytest.mark.parametrize("op", ["filter_bank", "normalize"])
def test_a_thread_that_compiles_changes_no_bit_in_another(op: str) -> None:
    x = torch.randint(256, (4, 32, 32, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    calls: dict[str, Callable[[Tensor], Tensor]] = {
        "filter_bank": lambda out: vb.filter_bank(x, BANDS, mean=[0.4] * 3, std=[0.3] * 3, out=out),
        "normalize": lambda out: vb.normalize(x, [0.4] * 3, [0.3] * 3, out=out[0]),
    }
    buffers = torch.zeros(2, 2, 4, 32, 32, 3).permute(0, 1, 2, 5, 3, 4)
    wanted = calls[op](buffers[0])
    meanwhile: list[Tensor] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Tensor]:
        with ThreadPoolExecutor(1) as thread:
            meanwhile.append(thread.submit(calls[op], buffers[1]).result())
        return graph.forward

    torch._dynamo.reset()
    torch.compile(lambda i: i + 1, backend=backend)(x)
    assert torch.equal(meanwhile[0], wanted)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_defaults_of_the_caller_change_nothing(op: str, backend: str, dtype: torch.dtype) -> None:
    call, tensors = OPS[op][0], tensors_of(op)
    options = {} if op == "mean_amplitude" else {"backend": backend, "dtype": dtype}
    wanted = call(**tensors, **options)
    for kept in (filter_bank.plan.plan, normalize._kernel, band_noise._kernel, spectrum_mix.kernel):
        kept.cache_clear()
    try:
        torch.set_default_device("meta")
        torch.set_default_dtype(torch.float64 if dtype == torch.float32 else torch.float32)
        assert torch.equal(call(**tensors, **options), wanted)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


def test_no_memory_for_the_work() -> None:
    out = torch.empty(2, 3, 4, 4)
    message = r"blur: no memory on cpu for an output of \(2, 3, 4, 4\), 0.0 GB; pass fewer images at a time"
    with pytest.raises(vb.BackendError, match=message), writing("blur", out):
        raise MemoryError("std::bad_alloc")
    with pytest.raises(vb.BackendError, match=message), writing("blur", out):
        torch.empty(2**50)
    with pytest.raises(RuntimeError, match="other"), writing("blur", out):
        raise RuntimeError("other")


def test_a_module_survives_saving_and_copying(make_images: Callable[..., Tensor]) -> None:
    x = make_images(2, 3, 8, 8)
    numbers = {"mean": [0.4] * 3, "std": torch.tensor([0.2] * 3)}
    bank = vb.FilterBank(BANDS, memory_format=torch.channels_last, dtype=torch.bfloat16, **numbers)
    file = io.BytesIO()
    torch.save(bank, file)
    file.seek(0)
    for twin in (torch.load(file, weights_only=False), copy.deepcopy(bank)):
        assert twin.memory_format is torch.channels_last
        assert torch.equal(twin(x), bank(x))
        assert twin(x).stride() == bank(x).stride()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("visionbias_broken", "an instruction that no processor has"),
        ("visionbias_missing_part", "No module named 'part_of_the_engine'"),
    ],
)
def test_an_engine_that_does_not_load_is_an_error(name, text, tmp_path, monkeypatch) -> None:
    (tmp_path / "visionbias_broken.py").write_text("raise ImportError('an instruction that no processor has')")
    (tmp_path / "visionbias_missing_part.py").write_text("import part_of_the_engine")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(native, "_MODULE", name)
    with pytest.raises(vb.BackendError, match=f"{name} does not load: {text}; build it again: python setup.py"):
        native.engine.__wrapped__()
    monkeypatch.setattr(native, "_MODULE", "visionbias_not_there")
    assert native.engine.__wrapped__() is None


@pytest.mark.skipif(ENGINE is None, reason="visionbias._C is not built")
def test_the_engine_takes_no_negative_memory() -> None:
    with pytest.raises(AssertionError):
        native.memory(torch._neg_view(torch.ones(3)))
