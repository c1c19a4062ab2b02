# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which models are in memory: the records do not depend on it, and what is let go is gone."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from run_folders import records_of
from safetensors.torch import save_file
from torch import Tensor, nn

import visionbias as vb
import visionbias.engine.prepare
import visionbias.engine.residents
from visionbias.engine.residents import groups_of
from visionbias.models.model import Model
from visionbias.models.resolve import resolve_model

Make = Callable[..., vb.Study]
NAMES = ("a", "b", "c", "d")
NET_BYTES = 1_510_000  # of one of them, a little more than in fact
PROBES = [
    vb.Accuracy(),
    vb.SpectralBias(cutoffs=(0.2,)),
    vb.CriticalBand(bands=(3, 4, 5), noise_sds=(0.1,)),
    vb.FeatureSuppression(),
    vb.PGD(steps=1),
]


def mean_color(x: Tensor) -> Tensor:
    return x.mean((2, 3))


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[vb.Checkpoint]:
    """Weight files of small networks."""
    for seed, name in enumerate(NAMES):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), tmp_path / f"{name}.safetensors")
    return [vb.Checkpoint(tmp_path / f"{name}.safetensors", arch="test_resnet", num_classes=3) for name in NAMES]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, "weakref.ref[Tensor]"]]:
    """Id of every model that is loaded, in order, and its first weight."""
    seen: list[tuple[str, weakref.ref[Tensor]]] = []

    def load(*arguments: object, **options: object) -> Model:
        model = resolve_model(*arguments, **options)  # type: ignore[arg-type]
        if hasattr(model.call, "parameters"):
            seen.append((model.id, weakref.ref(next(model.call.parameters()))))
        return model

    monkeypatch.setattr(visionbias.engine.residents, "resolve_model", load)
    return seen


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is large enough for bfloat16, whatever the CPU."""
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cpu": 1.0})
    monkeypatch.setattr("visionbias.engine.agreement.MOST_FLIPS", {torch.bfloat16: 1.0})
    monkeypatch.setattr("visionbias.engine.agreement.MOST_CHANGE", 1.0)
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.bfloat16,))


@pytest.fixture
def half_eager(half: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In addition nothing is compiled."""
    monkeypatch.setattr("visionbias.engine.precision.worth_compiling", lambda module, device: False)


@pytest.fixture
def float32_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is large enough for a compiled copy in float32, which is all that the CPU has."""
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cpu": 1.0})
    for module in ("precision", "timed_steps"):
        monkeypatch.setattr(f"visionbias.engine.{module}.fast_dtypes", lambda device: (torch.float32,))


@pytest.mark.parametrize(
    ("precision", "budget", "host", "loads"),  # how often a, b, c and d are loaded
    [
        ("fp32", 3 * NET_BYTES, 0, (1, 1, 3, 3)),  # the first two stay, the others take turns
        ("auto", 1, 0, (4, 4, 4, 4)),  # looked at, attacked, compared, run
        ("auto", 1, 10**9, (1, 1, 1, 1)),
        ("fp32", NET_BYTES, 2 * NET_BYTES, (1, 2, 2, 1)),  # three of the four are in one memory or the other
    ],
)
@pytest.mark.usefixtures("half_eager")
def test_records_are_the_same_bits_with_any_budget(
    make_study: Make,
    checkpoints: list[vb.Checkpoint],
    tiny_net: type[nn.Module],
    loaded: list[tuple[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    budget: int,
    host: int,
    loads: tuple[int, ...],
) -> None:
    models = [checkpoints[0], ("mine", tiny_net(1).eval()), *checkpoints[1:], ("color", mean_color)]
    options = {"models": models, "probes": PROBES, "precision": precision}
    whole = make_study(**options).run(tmp_path / "whole", progress=False)
    assert [name for name, _ in loaded] == ["a", "mine", "b", "c", "d"]
    loaded.clear()
    monkeypatch.setattr(visionbias.engine.prepare, "host_bytes", lambda device: host)
    streamed = make_study(**options, model_memory_bytes=budget).run(tmp_path / "streamed", progress=False)
    counts = {name: [name for name, _ in loaded].count(name) for name in dict(loaded)}
    assert counts == {"mine": 1, **dict(zip(NAMES, loads, strict=True))}
    assert streamed.manifest["study"] == whole.manifest["study"]
    pd.testing.assert_frame_equal(records_of(streamed), records_of(whole), check_exact=True)


@pytest.mark.usefixtures("float32_compiled")
def test_compiled_copies_in_float32_take_the_room_of_their_type(
    make_study: Make, checkpoints: list[vb.Checkpoint], tmp_path: Path
) -> None:
    """Each holds its weights twice, once as its graph packs them; attacked ones need the model too."""
    options = {"models": checkpoints, "probes": [vb.Accuracy(), vb.PGD(steps=1)]}
    for nets, groups in ((5, 4), (6.5, 2), (12.5, 1)):
        plan = make_study(**options, model_memory_bytes=int(nets * NET_BYTES)).plan()
        assert plan.prediction.model_groups == groups
    whole = make_study(**options).run(tmp_path / "whole", progress=False)
    alone = make_study(**options, model_memory_bytes=1).run(tmp_path / "alone", progress=False)
    assert {found["compiled"] for found in whole.manifest["study"]["models"].values()} == {True}
    assert alone.manifest["study"] == whole.manifest["study"]
    pd.testing.assert_frame_equal(records_of(alone), records_of(whole), check_exact=True)


@pytest.mark.usefixtures("half_eager")
def test_an_interrupted_run_goes_on_with_another_budget(
    make_study: Make, checkpoints: list[vb.Checkpoint], tmp_path: Path
) -> None:
    calls = 0

    def study(at: int, budget: int | str) -> vb.Study:
        def interrupting(x: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return x.mean((2, 3))

        models = [*checkpoints[:2], ("m", interrupting), *checkpoints[2:]]
        return make_study(models=models, probes=[vb.Accuracy(), vb.PGD(steps=1)], model_memory_bytes=budget)

    whole = study(0, "auto").run(tmp_path / "whole", progress=False)
    calls = 0
    with pytest.raises(KeyboardInterrupt):
        study(9, 1).run(tmp_path / "run", progress=False)
    done = study(0, 1).plan(tmp_path / "run").units_done
    assert 0 < done < len(records_of(whole))
    resumed = study(0, 2 * NET_BYTES).run(tmp_path / "run", progress=False)
    assert resumed.manifest["sessions"][-1]["forwards"] == len(records_of(whole)) - done
    pd.testing.assert_frame_equal(records_of(resumed), records_of(whole), check_exact=True)


@pytest.mark.usefixtures("half_eager")
@pytest.mark.parametrize("attacked", [False, True])
def test_float32_weights_of_what_runs_in_16_bits_are_gone(
    make_study: Make,
    checkpoints: list[vb.Checkpoint],
    tiny_net: type[nn.Module],
    loaded: list[tuple[str, "weakref.ref[Tensor]"]],
    tmp_path: Path,
    attacked: bool,
) -> None:
    own = tiny_net(1).eval()
    before = [weight.clone() for weight in own.parameters()]
    alive: set[str] = set()

    def spy(x: Tensor) -> Tensor:
        alive.update(name for name, weight in loaded if weight() is not None)
        return x.mean((2, 3))

    def watch(*arguments: object) -> None:
        alive.clear()  # the loop begins

    probes = [vb.SpectralBias(), vb.PGD(steps=1)] if attacked else [vb.SpectralBias()]
    study = make_study(models=[*checkpoints[:2], ("mine", own), ("spy", spy)], probes=probes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("visionbias.engine.execute.keep_gallery", watch)
        run = study.run(tmp_path / "run", progress=False)
    assert list(run.summary()["precision"]) == ["bfloat16", "bfloat16", "bfloat16", "float32"]
    assert alive == ({"a", "b", "mine"} if attacked else {"mine"})
    assert all(torch.equal(*pair) for pair in zip(own.parameters(), before, strict=True))


@pytest.mark.usefixtures("half")
def test_what_is_let_go_is_gone_though_its_graph_is_shared(
    make_study: Make, checkpoints: list[vb.Checkpoint], tmp_path: Path
) -> None:
    """Of four networks that run in 16 bits, never two are held."""
    seen: list[int] = []

    def spy(x: Tensor) -> Tensor:
        seen.append(len(_stems(torch.bfloat16)))
        return x.mean((2, 3))

    spied = [*checkpoints[:3], ("spy", spy), checkpoints[3]]
    study = make_study(models=spied, probes=[vb.Accuracy()], model_memory_bytes=1)
    run = study.run(tmp_path / "run", progress=False)
    assert [run.manifest["study"]["models"][name]["compiled"] for name in NAMES] == [True] * 4
    # It is tried before anything is compared; then there are five batches. A graph packs a copy of its weights.
    assert seen == [0] * 2 + [2] * 5


def _stems(dtype: torch.dtype) -> set[int]:
    """Which weights of the networks' first layers there are; packed ones have no address."""
    gc.collect()
    tensors = [x for x in gc.get_objects() if type(x) in (Tensor, nn.Parameter)]
    stems = [x for x in tensors if x.dtype == dtype and x.shape[1:] == (3, 3, 3) and not x.is_meta]
    return {x.data_ptr() if x.layout == torch.strided else id(x) for x in stems}


def test_weights_that_change_while_the_run_goes_on(
    make_study: Make, checkpoints: list[vb.Checkpoint], tmp_path: Path
) -> None:
    calls = 0

    def spoil(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:  # the first that the run shows: two tell what the function is
            Path(checkpoints[1].path).write_bytes(Path(checkpoints[2].path).read_bytes())
            Path(checkpoints[3].path).unlink()
        return x.mean((2, 3))

    study = make_study(models=[("m", spoil), *checkpoints], probes=[vb.Accuracy()], model_memory_bytes=1)
    with pytest.raises(vb.RunError) as caught:
        study.run(tmp_path / "run", progress=False)
    assert "b: under condition 'clean': model 'b': wanted the weights that the run began with (sha256" in str(
        caught.value
    )
    assert "d.safetensors: cannot read the weight file" in str(caught.value)
    status = vb.open_run(tmp_path / "run").summary().set_index("model")["status"].to_dict()
    assert status == {"m": "complete", "a": "complete", "b": "failed", "c": "complete", "d": "failed"}


def test_bad_checkpoints_are_named_together_before_anything_runs(
    make_study: Make, checkpoints: list[vb.Checkpoint], tmp_path: Path
) -> None:
    for checkpoint in checkpoints[1::2]:
        Path(checkpoint.path).write_bytes(b"")
    with pytest.raises(vb.CheckpointError, match=r"(?s)2 of 4 models cannot be used.*  b: .*  d: "):
        make_study(models=checkpoints, model_memory_bytes=1).run(tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_groups_take_no_more_than_the_budget() -> None:
    sizes = {"a": 3, "b": 3, "mine": 0, "c": 9, "yours": 0, "d": 1, "e": 4}
    assert groups_of(sizes, 6) == (("a", "b", "mine"), ("c", "yours"), ("d", "e"))
    assert groups_of(sizes, 100) == (tuple(sizes),)


def test_a_plan_counts_the_groups(make_study: Make, checkpoints: list[vb.Checkpoint]) -> None:
    def plan(budget: int) -> vb.Plan:
        return make_study(models=checkpoints, precision="fp32", model_memory_bytes=budget).plan()

    together, apart = plan(10**9), plan(2 * NET_BYTES)
    assert together.prediction is not None
    assert apart.prediction is not None
    assert (together.prediction.model_groups, apart.prediction.model_groups) == (1, 2)
    assert together.prediction.weight_bytes > NET_BYTES * 3
    assert apart.prediction.weight_bytes <= 2 * NET_BYTES
    assert "groups" not in str(together)
    assert "3.0 MB of weights (models in 2 groups), " in str(apart)
