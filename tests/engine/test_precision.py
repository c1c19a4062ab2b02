# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Which precision a model runs in, what decides it, and that a run keeps it."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from run_folders import records_of
from torch import Tensor, nn
from torch._inductor import config as inductor

import visionbias as vb
from visionbias.engine.precision import dtype_name
from visionbias.models.compiler import Compiler

Make = Callable[..., vb.Study]
PROBES = [vb.Accuracy(), vb.SpectralBias()]


class Scaled(nn.Module):
    """A network with features so large, or logits with so much added for a while, that 16 bits do not hold them."""

    def __init__(self, network: nn.Module, scale: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.network, self.scale, self.offset = network, scale, offset

    def forward(self, x: Tensor) -> Tensor:
        features = self.network.features(x).mean(dim=(2, 3)) * self.scale  # type: ignore[operator]
        return self.network.head(features / self.scale * 20) + self.offset - self.offset  # type: ignore[operator]


def mean_color(x: Tensor) -> Tensor:
    assert x.dtype == torch.float32
    return x.mean((2, 3))


def precisions(run: vb.Run) -> dict[str, tuple[str, bool]]:
    models = json.loads((run.folder / "run.json").read_text())["study"]["models"]
    return {name: (model["precision"], model["compiled"]) for name, model in models.items()}


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is large enough for bfloat16, whatever the CPU."""
    monkeypatch.setattr("visionbias.engine.precision._WORTH_FLOP", {"cpu": 1.0})
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.bfloat16,))


@pytest.fixture
def fast(worth: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In addition nothing can be compiled."""

    def no_compiler(x: Tensor) -> Tensor:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(Compiler, "__call__", lambda self, module, architecture: no_compiler)


def test_a_small_job_and_a_callable_stay_in_float32(make_study: Make, tmp_path: Path) -> None:
    run = make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert set(precisions(run).values()) == {("float32", False)}
    assert run.manifest["precision"] == {}


@pytest.mark.usefixtures("fast")
def test_figures_are_in_the_manifest_and_the_precision_in_the_row(make_study: Make, tmp_path: Path) -> None:
    models = [*make_study().models, ("color", mean_color)]
    run = make_study(models=models).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"first": ("bfloat16", False), "second": ("bfloat16", False), "color": ("float32", False)}
    assert set(run.manifest["precision"]) == {"first", "second"}
    for tried in run.manifest["precision"].values():
        figures = tried["bfloat16"]
        assert set(figures) == {
            "compared",
            "flips",
            "accuracy_change",
            "accuracy_change_se",
            "logit_error",
            "not_compiled",
        }
        assert figures["not_compiled"] == "RuntimeError: no C++ compiler"
        assert 120 <= figures["compared"] <= 136
        assert 0 <= figures["flips"] <= 0.01
    summary = run.summary().set_index("model")
    assert summary["precision"].to_dict() == {"color": "float32", "first": "bfloat16", "second": "bfloat16"}
    frame = records_of(run)
    exact = records_of(make_study(models=models, precision="fp32").run(tmp_path / "exact", progress=False))
    assert (frame["pred"] == exact["pred"]).mean() > 0.97
    changed = (frame["p_label"] != exact["p_label"]).groupby(frame["model"]).mean()
    assert changed["color"] == 0
    assert changed["first"] > 0.9


@pytest.mark.usefixtures("worth")
def test_a_run_of_compiled_models_wants_a_compiler_again(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(probes=[vb.Accuracy()])
    with monkeypatch.context() as patch:
        patch.setattr(Compiler, "__call__", lambda self, module, architecture: module)
        run = study.run(tmp_path / "run", progress=False)
    if ("bfloat16", True) not in precisions(run).values():
        pytest.skip("nothing is compiled here")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    with (
        inductor.patch({"cpp.cxx": ("/nonexistent/c++",)}),
        pytest.raises(vb.BackendError, match=r"wanted to compile models.*install a C\+\+ compiler"),
    ):
        study.run(tmp_path / "run", progress=False)


@pytest.mark.usefixtures("fast")
def test_few_conditions_are_compared_on_more_images(make_study: Make, tmp_path: Path) -> None:
    run = make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert {tried["bfloat16"]["compared"] for tried in run.manifest["precision"].values()} == {37}


@pytest.mark.usefixtures("fast")
def test_nothing_is_compared_for_attacks_alone(make_study: Make, tmp_path: Path) -> None:
    run = make_study(probes=[vb.PGD(steps=1)]).run(tmp_path / "run", progress=False)
    assert set(precisions(run).values()) == {("float32", False)}
    assert run.manifest["precision"] == {}


@pytest.mark.usefixtures("fast")
def test_a_plan_tells_the_time_in_both_precisions(make_study: Make) -> None:
    plan = make_study(probes=[vb.Accuracy()]).plan()
    assert plan.prediction is not None
    assert plan.prediction.exact_forward_s != plan.prediction.forward_s
    assert "if all models run as they are" in str(plan)
    assert "as they are" not in str(make_study(probes=[vb.Accuracy()], precision="fp32").plan())


class Counting(nn.Module):
    """Keeps in Python how often it was called, which a graph of it has as a constant."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        logits: Tensor = self.network(x)
        return logits


@pytest.mark.usefixtures("worth")
def test_what_would_be_compiled_at_each_call_is_not(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    run = make_study(models=[("counting", Counting(tiny_net(1)).eval())]).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"counting": ("bfloat16", False)}
    assert "recompil" in run.manifest["precision"]["counting"]["bfloat16"]["not_compiled"].lower()
    assert list(run.summary()["status"]) == ["complete"]


def test_the_caller_s_autocast_changes_no_record(make_study: Make, tiny_net: type[nn.Module], tmp_path: Path) -> None:
    wanted = records_of(make_study().run(tmp_path / "wanted", progress=False))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert tiny_net(1)(torch.rand(1, 3, 32, 32)).dtype == torch.bfloat16
        found = records_of(make_study().run(tmp_path / "run", progress=False))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def test_another_default_type_is_refused(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    torch.set_default_dtype(torch.float64)
    try:
        for use in (study.plan, lambda: study.run(tmp_path / "run", progress=False)):
            with pytest.raises(vb.RunError, match=r"wanted float32 as the default type of torch.*got torch.float64"):
                use()
    finally:
        torch.set_default_dtype(torch.float32)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("fast")
def test_fp32_turns_it_off(make_study: Make, tmp_path: Path) -> None:
    run = make_study(precision="fp32", probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert set(precisions(run).values()) == {("float32", False)}


@pytest.fixture
def products() -> Iterator[Any]:
    """The setting of matrix products on CPUs, which round to bfloat16."""
    setting: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    setting.fp32_precision = "bf16"
    yield setting
    setting.fp32_precision = "none"


def test_float32_is_not_rounded_in_runs_and_plans(make_study: Make, tmp_path: Path, products: Any) -> None:
    seen: list[str] = []

    def watching(x: Tensor) -> Tensor:
        seen.append(products.fp32_precision)
        return mean_color(x)

    study = make_study(models=[("watching", watching)], probes=[vb.Accuracy()])
    for use in (study.plan, lambda: study.run(tmp_path / "run", progress=False)):
        seen.clear()
        use()
        assert set(seen) == {"ieee"}
        assert products.fp32_precision == "bf16"


@pytest.mark.usefixtures("fast")
def test_what_decides_otherwise_in_16_bits_falls_back_with_its_reason(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [("rough", Scaled(tiny_net(1), offset=1e4).eval()), ("fine", Scaled(tiny_net(1)).eval())]
    run = make_study(models=models, probes=PROBES).run(tmp_path / "run")
    assert precisions(run) == {"rough": ("float32", False), "fine": ("bfloat16", False)}
    (reason,) = (figures["reason"] for figures in run.manifest["precision"]["rough"].values())
    assert "decisions differ from those of the model as it is, more than 1.0%" in reason
    assert capsys.readouterr().err == f"rough runs in float32; bfloat16: {reason}\n"


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("others", [(), (torch.bfloat16,)])
def test_what_overflows_in_float16_runs_in_another_type(
    make_study: Make,
    tiny_net: type[nn.Module],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    others: tuple[torch.dtype, ...],
) -> None:
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.float16, *others))
    models = [("large", Scaled(tiny_net(1), scale=1e6).eval())]
    run = make_study(models=models, probes=PROBES).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"large": ("bfloat16" if others else "float32", False)}
    assert run.manifest["precision"]["large"]["float16"]["reason"] == "NaN or infinite logits"


@pytest.mark.usefixtures("fast")
def test_what_takes_one_batch_size_only_stays_in_float32_and_says_so(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = tiny_net(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x.view(4, 3, 32, 32))

    study = make_study(models=[("fixed", Fixed().eval())], probes=[vb.Accuracy()], forward_batch=4)
    assert study.plan().prediction is not None
    run = study.run(tmp_path / "run", progress=False)
    assert precisions(run) == {"fixed": ("float32", False)}
    (figures,) = run.manifest["precision"]["fixed"].values()
    assert figures["reason"].startswith(
        "wanted to count the operations of a forward pass of one image, got RuntimeError: shape '[4, 3, 32, 32]'"
    )


@pytest.mark.usefixtures("fast")
def test_what_runs_in_float32_alone_stays_there(make_study: Make, tmp_path: Path) -> None:
    class Strict(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype != torch.float32:
                raise TypeError("float32 only")
            return x.mean((2, 3)) @ torch.ones(3, 3)

    run = make_study(models=[("strict", Strict().eval())], probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"strict": ("float32", False)}


@pytest.mark.usefixtures("fast")
def test_a_run_goes_on_in_the_precision_that_it_was_begun_with(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_study().run(tmp_path / "whole", progress=False)
    begun = make_study().run(tmp_path / "run", shard=(1, 3), progress=False)
    monkeypatch.undo()  # by itself the study would run in float32
    for attempt in (make_study(precision="fp32").plan, make_study(precision="fp32").run):
        with pytest.raises(vb.RunError, match='precision and 1 more: this study has "float32", the folder has "bfloa'):
            attempt(tmp_path / "run")
    run = make_study().run(tmp_path / "run", progress=False)
    assert run.manifest["precision"] == begun.manifest["precision"]
    pd.testing.assert_frame_equal(records_of(run), records_of(whole), check_exact=True)


@pytest.mark.usefixtures("fast")
def test_stimuli_in_16_bits_are_those_in_float32_rounded(make_study: Make, tmp_path: Path) -> None:
    """Models of 16 bits alone get them so; together with one in float32 each rounds them for itself."""
    probes = [*PROBES, vb.CriticalBand(bands=(3, 4, 5)), vb.FeatureSuppression()]
    alone = make_study(probes=probes).run(tmp_path / "alone", progress=False)
    models = [*make_study().models, ("color", mean_color)]
    together = make_study(models=models, probes=probes).run(tmp_path / "together", progress=False)
    frame = records_of(together).query("model != 'color'").reset_index(drop=True)
    pd.testing.assert_frame_equal(records_of(alone), frame, check_exact=True)


@pytest.mark.usefixtures("worth")
def test_compiled_records_are_the_same_for_any_batch_size_shard_and_session(make_study: Make, tmp_path: Path) -> None:
    whole = make_study().run(tmp_path / "whole", progress=False)
    assert set(precisions(whole).values()) == {("bfloat16", True)}
    for i in (2, 0, 1):
        parts = make_study(batch_size=(1, 7, 64)[i]).run(tmp_path / "parts", shard=(i, 3), progress=False)
    assert parts.manifest["study"] == whole.manifest["study"]
    pd.testing.assert_frame_equal(records_of(parts), records_of(whole), check_exact=True)


@pytest.mark.usefixtures("worth")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_graph_that_computes_something_else_is_not_used(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """Though it decides as the model does."""
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (dtype,))
    monkeypatch.setattr(Compiler, "__call__", lambda self, module, architecture: lambda x: module(x) * 1.2)
    run = make_study(models=[("net", tiny_net(1))], probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"net": (dtype_name(dtype), False)}
    figures = run.manifest["precision"]["net"][dtype_name(dtype)]
    assert figures["flips"] == 0.0
    why = figures["reason"] if dtype == torch.float32 else figures["not_compiled"]
    assert re.match(r"the graph's logits are off by (1\.9|2\.0)e-01", why)


@pytest.mark.usefixtures("worth")
def test_a_float32_copy_that_decides_otherwise_is_refused_with_its_figures(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.float32,))
    monkeypatch.setattr("visionbias.engine.agreement.MOST_FLIPS", {torch.float32: -1.0})
    run = make_study(models=[("net", tiny_net(1))], probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    assert precisions(run) == {"net": ("float32", False)}
    figures = run.manifest["precision"]["net"]["float32"]
    assert figures["reason"].startswith("0 of 37 decisions differ")
    assert figures["flips"] == 0.0


@pytest.mark.usefixtures("worth")
def test_studies_in_threads_change_nothing_of_each_other(make_study: Make, tmp_path: Path) -> None:
    studies = [make_study() for _ in range(6)]
    wanted = records_of(make_study().run(tmp_path / "wanted", progress=False))
    with ThreadPoolExecutor(3) as threads:
        runs = list(threads.map(lambda i: studies[i].run(tmp_path / str(i), progress=False), range(6)))
    for run in runs:
        assert set(precisions(run).values()) == {("bfloat16", True)}
        pd.testing.assert_frame_equal(records_of(run), wanted, check_exact=True)


@pytest.mark.usefixtures("worth")
def test_without_bfloat16_a_copy_in_float32_is_compiled(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.float32,))
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3)).eval()
    study = make_study(models=[("net", tiny_net(1)), ("dense", dense), ("color", mean_color)], probes=PROBES)
    assert "if all models run as they are" in str(study.plan())
    exact = make_study(models=study.models, probes=PROBES, precision="fp32").run(tmp_path / "exact", progress=False)
    begun = study.run(tmp_path / "run", shard=(1, 3), progress=False)
    run = study.run(tmp_path / "run", progress=False)
    assert precisions(run) == {"net": ("float32", True), "dense": ("float32", False), "color": ("float32", False)}
    assert run.manifest["precision"] == begun.manifest["precision"]
    assert run.manifest["precision"]["net"]["float32"]["flips"] == 0.0
    frames = [records_of(each) for each in (run, exact)]
    pd.testing.assert_frame_equal(*frames, rtol=1e-4, atol=1e-5)
    pd.testing.assert_frame_equal(*(f.query("model != 'net'") for f in frames), check_exact=True)
    whole = study.run(tmp_path / "whole", progress=False)
    pd.testing.assert_frame_equal(records_of(whole), frames[0], check_exact=True)


@pytest.mark.usefixtures("worth")
def test_what_is_refused_in_bfloat16_runs_as_a_copy_in_float32(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("visionbias.engine.precision.fast_dtypes", lambda device: (torch.bfloat16, torch.float32))
    monkeypatch.setattr("visionbias.engine.agreement.MOST_FLIPS", {torch.bfloat16: -1.0, torch.float32: 0.0})
    run = make_study(probes=PROBES).run(tmp_path / "run", progress=None)
    assert set(precisions(run).values()) == {("float32", True)}
    for tried in run.manifest["precision"].values():
        assert ["reason" in figures for figures in tried.values()] == [True, False]
    assert " runs in float32, compiled; bfloat16: 0 of " in capsys.readouterr().err


def test_the_forward_batch_is_halved_until_it_fits_and_kept(make_study: Make, tmp_path: Path) -> None:
    most, seen = 5, set()

    def call(x: Tensor) -> Tensor:
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.add(len(x))
        return x.mean((2, 3))

    def study(forward_batch: int | str) -> vb.Study:
        return make_study(models=[("mine", call)], probes=[vb.Accuracy()], forward_batch=forward_batch)

    with pytest.raises(
        vb.RunError, match="a forward pass of 8 images does not fit in the memory of the device: CUDA out of"
    ):
        study(8).run(tmp_path / "fixed", progress=False)
    run = study("auto").run(tmp_path / "run", shard=(1, 2), progress=False)
    assert run.manifest["study"]["forward_batch"] == 4
    most = 100
    assert study("auto").plan(tmp_path / "run").units_done == 17
    study("auto").run(tmp_path / "run", progress=False)
    assert seen == {4}
    most = 3
    next((tmp_path / "run").rglob("*.parquet")).unlink()
    with pytest.raises(vb.RunError, match="in a new run"):
        study("auto").run(tmp_path / "run", progress=False)
