# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark runner: checks come before numbers, contenders alternate, rows are complete."""

import json
import subprocess
import sys
from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
import torch

from benchmarks import engine, forward, plan, registry, run, scaling, timing
from benchmarks.filter_bank import cases
from benchmarks.memory import memory_curve
from benchmarks.registry import Case

MAY_BE_MISSING = ("PIL", "pandas", "pyarrow", "pydantic", "safetensors", "timm", "tqdm", "typer", "hypothesis")
KEYS = {
    *("op", "backend", "shape", "side", "dtype", "unit", "work", "rate", "median_s", "best_s", "spread", "repeats"),
    *("first_s", "peak_bytes", "copy_fraction", "error", "notes", "device", "generation", "versions", "commit"),
}


def toy(calls, check=lambda name: 0.0):
    names = ("ours", "peer")
    return Case("toy", "[1]", "float32", "things", 1, 8, {n: lambda n=n: calls.append(n) for n in names}, check)


def test_contenders_alternate():
    calls = []
    timings = timing.interleaved(toy(calls).contenders, 5, "cpu")
    assert calls == ["ours", "peer", "peer", "ours"] * 2 + ["ours", "peer"]
    assert {len(t.seconds) for t in timings.values()} == {5}
    with pytest.raises(ValueError, match="at least 5"):
        timing.interleaved(toy(calls).contenders, 4, "cpu")


def test_rows_are_complete_and_appended(tmp_path):
    for _ in range(2):
        run.write(run.measure(toy([]), "cpu", 5, 1e9, "0")[0], tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "toy.jsonl").read_text().splitlines()]
    assert [row["backend"] for row in rows] == ["ours", "peer"] * 2
    assert all(set(row) == KEYS for row in rows)
    assert "ours" in run.table(rows[:2], {})


def test_a_floor_is_reached_or_missed():
    rows, _ = run.measure(toy([]), "cpu", 5, 1e9, "0")
    for seconds, verdict in ((1.8, "reaches 0.90"), (1.79, "MISSES 0.90")):
        rows[0]["best_s"], rows[1]["best_s"] = 2.0, seconds
        ours, peer = run.table(rows, {"peer": 0.90}).splitlines()[1:]
        assert verdict in peer
        assert "0.90" not in ours


def test_a_peer_that_does_a_part_is_compared_by_its_rate():
    rows, _ = run.measure(replace(toy([]), work=12, parts={"peer": 0.25}), "cpu", 5, 1e9, "0")
    assert [row["work"] for row in rows] == [12, 3]
    rows[0]["best_s"], rows[1]["best_s"] = 2.0, 1.0
    assert "2.00x the time" in run.table(rows, {}).splitlines()[2]
    assert rows[1]["rate"] == pytest.approx(3 / rows[1]["median_s"], rel=0.01)


def test_the_engine_computes_what_a_bare_loop_does(monkeypatch):
    monkeypatch.setattr(engine, "ARCHITECTURES", {"test_resnet": 8})
    monkeypatch.setattr(engine, "fast_dtypes", lambda device: (torch.float32,))
    (case,) = engine.cases("cpu", batch=4, size=32)
    assert case.check("engine") < 1e-5
    assert case.floors == {engine.KEPT: 0.95}


def test_every_step_of_the_forward_pass_computes_the_same(monkeypatch):
    monkeypatch.setattr(forward, "fast_dtypes", lambda device: (torch.bfloat16,))
    monkeypatch.setattr(forward, "Compiler", lambda device: None)
    monkeypatch.setattr(torch, "compile", lambda module, **options: module)
    (case,) = forward.cases("cpu", arch="test_resnet", n=2, size=32)
    assert len(case.contenders) == 9
    assert set(case.floors) <= set(case.contenders)
    for name in case.contenders:
        assert case.check(name) < 0.05


@pytest.mark.parametrize("raised", [AssertionError("off by one"), RuntimeError("no such kernel")])
def test_no_number_without_a_green_check_and_the_others_have_theirs(raised, tmp_path, monkeypatch, capsys):
    def wrong(name):
        if name == "peer":
            raise raised
        return 0.0

    calls = []
    monkeypatch.setattr(run, "load", lambda names: {"toy": lambda device: iter([toy(calls, wrong)])})
    monkeypatch.setattr(run, "copy_bandwidth", lambda device: 1e9)
    assert run.main(["filter_bank", "--results", str(tmp_path)]) == 1
    said = f"toy -> float32: peer is not timed, its check failed: {type(raised).__name__}: {raised}"
    assert said in capsys.readouterr().err
    assert calls.count("peer") == 1  # before its check
    (row,) = (tmp_path / "toy.jsonl").read_text().splitlines()
    assert json.loads(row)["backend"] == "ours"


def test_on_a_gpu_its_tests_come_first_and_the_ops_are_timed(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(run, "gpu_tests_pass", lambda: steps.append("tests") or True)
    monkeypatch.setattr(run, "copy_bandwidth", lambda device: 1e9)
    monkeypatch.setattr(
        run, "load", lambda names: {name: lambda device, n=name: steps.append(n) or () for name in names}
    )
    assert run.main(["--device", "cuda", "--results", str(tmp_path)]) == 0
    assert steps == ["tests", *registry.OPS]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_rows_are_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["--device", "cuda"])
    assert "there is no cuda here" in capsys.readouterr().err


def test_the_benchmarks_of_the_ops_import_no_more_than_a_gpu_machine_has():
    program = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in {sorted(MAY_BE_MISSING)}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from benchmarks import fastest, registry, run
for cases in registry.load(registry.OPS).values():
    next(iter(cases("cpu", size=16, n=1)), None)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=run.ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def test_a_name_is_registered_once():
    assert set(registry.load()) >= {"filter_bank"}
    with pytest.raises(ValueError, match="registered twice"):
        registry.benchmark("filter_bank")(cases)


def test_a_run_is_read_again_as_it_was_written(monkeypatch):
    for case in registry.load()["rescore"]("cpu", models=2, n=1200):
        for name in case.contenders:
            assert case.check(name) < 1e-12
            monkeypatch.setattr("benchmarks.rescore.MOST_GIB", 0.001)
            with pytest.raises(AssertionError, match="GiB of memory, wanted less"):
                case.check(name)
            monkeypatch.undo()


@pytest.mark.parametrize("size", [16, 21])
def test_every_contender_of_filter_bank_computes_the_same(size):
    for case in cases("cpu", size=size, n=1):
        for name, call in case.contenders.items():
            assert case.check(name) < 0.1
            call()


@pytest.mark.parametrize(("name", "size"), [("band_noise", 160), ("spectrum_mix", 21)])
def test_every_contender_computes_the_same(name, size):
    for case in registry.load()[name]("cpu", size=size, n=1):
        for contender, call in case.contenders.items():
            assert case.check(contender) < 0.1
            call()


def test_a_contender_that_writes_nothing_is_found(monkeypatch):
    monkeypatch.setattr("benchmarks.filter_bank.ours", lambda x, out, backend: None)
    with pytest.raises(AssertionError, match="values are off"):
        next(cases("cpu", size=16, n=1)).check("torch")


def test_a_cache_holds_what_the_decoder_makes():
    for case in registry.load()["decode"]("cpu", n=8):
        for name, call in case.contenders.items():
            assert case.check(name) <= 1.0
            call()


def test_a_job_run_in_the_published_way_computes_the_same():
    options = {"arch": "test_resnet", "n": 4, "n_published": 2, "workers": 0, "decode": "pillow"}
    (case,) = registry.load()["whole_job"]("cpu", **options)
    ours, theirs = case.contenders.values()
    ours()
    assert case.check("visionbias") < 1e-4
    theirs()
    assert case.work == 2 * 52 * 4
    assert list(case.parts.values()) == [0.25]


def test_a_folder_that_a_call_leaves_is_removed(tmp_path):
    made = []

    def leave():
        made.append(TemporaryDirectory(dir=tmp_path))
        return made[-1]

    timing.first_call(leave, "cpu")
    timing.interleaved({"leave": leave}, 5, "cpu")
    assert len(made) == 6
    assert list(tmp_path.iterdir()) == []


GROWING = """
import time
held = []
for _ in range(8):
    held.append(b"1" * 2**24)
    time.sleep(0.05)
"""


def test_a_memory_curve_shows_what_stays():
    curve = memory_curve(GROWING, parts=4)
    assert len(curve) == 4
    assert curve[-1] - curve[0] > 4 * 2**24


def test_the_second_half_of_a_run_takes_no_more_memory(monkeypatch):
    monkeypatch.setattr(scaling, "MODELS", (1,))
    monkeypatch.setattr(scaling, "TIMES", (1, 2))
    monkeypatch.setattr(scaling, "MANY", 3)
    few, many, clean = scaling.cases("cpu", n=4, size=32)
    assert many.check("visionbias") == 0.0
    assert many.work == 2 * few.work
    monkeypatch.setattr(scaling, "MOST_GROWTH", float("inf"))  # crops this small are less than chance
    assert clean.check("visionbias") == 0.0
    assert list(clean.notes) == [f"peak_mib_{part}_of_4" for part in (1, 2, 3, 4)]
    assert max(clean.notes.values()) > 100
    monkeypatch.setattr(scaling, "MOST_GROWTH", -float("inf"))
    with pytest.raises(AssertionError, match=r"second half takes .* bytes more, its crops 18,432"):
        clean.check("visionbias")


def test_a_prediction_is_held_against_the_run(monkeypatch):
    monkeypatch.setattr(plan, "MODELS", {"test_resnet": 1})
    (case,) = plan.cases("cpu", n=4)
    monkeypatch.setattr(plan, "MOST_OFF", float("inf"))  # of so little the time is mostly chance
    off = case.check("run")
    assert off == abs(case.notes["predicted_s"] / case.notes["taken_s"] - 1)
    monkeypatch.setattr(plan, "MOST_OFF", -1.0)
    with pytest.raises(AssertionError, match=r"planned .* s, took"):
        case.check("run")
    rows, failures = run.measure(case, "cpu", 5, 1e9, "commit")
    assert (rows, list(failures)) == ([], ["run"])
    monkeypatch.setattr(plan, "MOST_OFF", float("inf"))
    (row,), _ = run.measure(case, "cpu", 5, 1e9, "commit")
    assert set(row["notes"]) == {"predicted_s", "taken_s", "predicted_record_bytes", "record_bytes"}
