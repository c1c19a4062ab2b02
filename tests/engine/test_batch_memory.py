# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A batch that does not fit in memory is halved where its size is ours to choose, before anything is decoded."""

import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from run_folders import records_of
from torch import Tensor, nn

import visionbias as vb
import visionbias.engine.batches
import visionbias.engine.prepare
from visionbias.engine.inputs import stimulus_buffer
from visionbias.engine.trial import under_attack
from visionbias.errors import NoMemoryError
from visionbias.models.resolve import resolve_model

Make = Callable[..., vb.Study]
CPU = torch.device("cpu")
SIDE = 32  # pixels of the study's crops
PROBES = [vb.Accuracy(), vb.SpectralBias(cutoffs=(0.1, 0.2, 0.3))]
CONDITIONS = 6  # of the larger stimulus


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Lets a function of torch that makes tensors fail above so many images."""

    def fail_above(name: str, images: int, conditions: int = 1) -> None:
        make = getattr(torch, name)

        def limited(*shape: Any, **options: Any) -> Tensor:
            tensor: Tensor = make(*shape, **options)
            if tensor.dim() >= 4 and tensor.is_floating_point() and tensor.numel() > images * conditions * 3 * SIDE**2:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return tensor

        monkeypatch.setattr(torch, name, limited)

    return fail_above


def test_stimuli_that_do_not_fit(make_study: Make, tmp_path: Path, limit: Callable[..., None]) -> None:
    limit("zeros", 9, CONDITIONS)
    plan = make_study(probes=PROBES, forward_batch="auto").plan()
    assert plan.stimulus_bytes == CONDITIONS * 8 * 3 * SIDE**2 * 4
    run = make_study(probes=PROBES, forward_batch="auto").run(tmp_path / "run", progress=False)
    assert run.manifest["study"]["forward_batch"] == 8
    same = make_study(probes=PROBES, forward_batch=8).run(tmp_path / "same", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(same), check_exact=True)
    with pytest.raises(vb.RunError, match=r"no memory for 6 conditions of 16 images .* on cpu; use a smaller batch"):
        make_study(probes=PROBES, forward_batch=16).run(tmp_path / "fixed", progress=False)
    assert not (tmp_path / "fixed").exists()
    limit("zeros", 4, CONDITIONS)
    next((tmp_path / "run").rglob("*.parquet")).unlink()
    with pytest.raises(vb.RunError, match=r"no memory for 6 conditions of 8 images .* in a new run"):
        make_study(probes=PROBES, forward_batch="auto").run(tmp_path / "run", progress=False)


def test_what_the_system_would_grant_and_then_kill_for(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = CONDITIONS * 3 * SIDE**2 * 4
    monkeypatch.setattr(visionbias.engine.batches, "free_memory", lambda device: 9 * image)
    for kind in ("plan", "run"):
        study = make_study(probes=PROBES, forward_batch="auto")
        if kind == "plan":
            assert study.plan().stimulus_bytes == 8 * image
        else:
            assert study.run(tmp_path / "run", progress=False).manifest["study"]["forward_batch"] == 8
    with pytest.raises(vb.RunError, match=rf"wanted {16 * image:,} bytes, {9 * image:,} are free; use a smaller"):
        make_study(probes=PROBES, forward_batch=16).plan()


def test_not_even_one_image_fits(make_study: Make, tmp_path: Path, limit: Callable[..., None]) -> None:
    limit("zeros", 0)
    with pytest.raises(vb.RunError, match=r"not even one image fits: no memory for 1 conditions of 1 images .* on cpu"):
        make_study(forward_batch="auto").run(tmp_path / "run", progress=False)


def test_noise_that_does_not_fit(make_study: Make, tmp_path: Path, limit: Callable[..., None]) -> None:
    limit("randn", 5)
    run = make_study(probes=PROBES, forward_batch="auto").run(tmp_path / "run", progress=False)
    assert run.manifest["study"]["forward_batch"] == 4


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), None], ids=["cuda", "cpu"])
def test_a_gradient_that_does_not_fit(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, error: Exception | None
) -> None:
    class Hungry(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            return y.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
            if len(grad) <= 8:
                return grad
            if error is not None:
                raise error
            return torch.empty(2**45)

    class Net(tiny_net):  # type: ignore[misc, valid-type]
        def forward(self, x: Tensor) -> Tensor:
            return Hungry.apply(super().forward(x))  # type: ignore[no-any-return, no-untyped-call]

    study = make_study(models=[("hungry", Net(1).eval())], probes=[vb.PGD(steps=1)], forward_batch="auto")
    run = study.run(tmp_path / "run", progress=False)
    assert run.manifest["study"]["forward_batch"] == 8
    assert list(run.summary()["status"]) == ["complete"]


def test_memory_that_ends_beside_an_attack(tiny_net: type[nn.Module]) -> None:
    model = resolve_model(("net", tiny_net(1).eval()), device=CPU, crop=SIDE)
    message = "model 'net': CUDA out of memory: use a smaller forward_batch"
    with pytest.raises(NoMemoryError, match=message), under_attack(model):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_run_in_16_bits_goes_on_where_its_stimuli_fit(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cpu": 1.0})
    monkeypatch.setattr("visionbias.engine.agreement.MOST_FLIPS", {torch.bfloat16: 1.0})
    monkeypatch.setattr("visionbias.engine.agreement.MOST_CHANGE", 1.0)
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.bfloat16,))
    monkeypatch.setattr("visionbias.engine.precision.worth_compiling", lambda module, device: False)
    held: list[torch.dtype] = []

    def buffer(conditions: int, n: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        held.append(dtype)
        return stimulus_buffer(conditions, n, size, dtype, device)

    monkeypatch.setattr(visionbias.engine.batches, "stimulus_buffer", buffer)
    run = make_study(probes=PROBES).run(tmp_path / "run", progress=False)
    next((tmp_path / "run").rglob("*.parquet")).unlink()
    make_study(probes=PROBES).run(tmp_path / "run", progress=False)
    assert set(run.summary()["precision"]) == {"bfloat16"}
    assert held == [torch.float32, torch.bfloat16]


def test_a_gpu_holds_what_the_loop_will_hold(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """When each model sees its first batch, two buffers of the larger stimulus are there, of the largest crops."""
    made: list[weakref.ref[Tensor]] = []
    shown: dict[str, tuple[Any, int]] = {}

    def buffer(conditions: int, n: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        made.append(weakref.ref(tensor := stimulus_buffer(conditions, n, size, dtype, CPU)))
        assert tensor.shape == (CONDITIONS, 8, 3, 48, 48)
        assert dtype == torch.float16
        return tensor

    def forward(name: str, dtype: torch.dtype, compiled: bool) -> Callable[[Tensor], None]:
        def call(x: Tensor) -> None:
            shown[name] = tuple(x.shape), sum(tensor() is not None for tensor in made)

        return call

    monkeypatch.setattr(visionbias.engine.batches, "stimulus_buffer", buffer)
    models: Any = [SimpleNamespace(id=f"of_{side}", preprocessing=vb.Preprocessing(crop=side)) for side in (32, 48)]
    residents, gpu = SimpleNamespace(forward=forward), SimpleNamespace(type="cuda")
    study = make_study(probes=PROBES, preprocessing="model")
    visionbias.engine.prepare._try_batch(study, residents, models, [{}], gpu, torch.float16, 8)  # type: ignore[arg-type]
    assert shown == {"of_32": ((8, 3, 32, 32), 2), "of_48": ((8, 3, 48, 48), 2)}
