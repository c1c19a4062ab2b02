# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets larger than the cache budget are streamed; runs and plans say so, and records are the same bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_folders import records_of
from torch import Tensor, nn

import visionbias as vb
from visionbias.decode.pillow import PillowDecoder
from visionbias.engine.timed_steps import time_decoding

Make = Callable[..., vb.Study]
CROPS = 37 * 32 * 32 * 3


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.u8")}


def record_files(run: vb.Run) -> dict[str, bytes]:
    root = run.folder / "records"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.parquet")}


def test_kept_or_streamed_record_files_are_the_same(
    make_study: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = make_study().data.name
    kept = make_study(cache=tmp_path / "kept", cache_bytes=CROPS).run(tmp_path / "run_kept")
    assert "whenever they are read" not in capsys.readouterr().err
    streamed = make_study(cache=tmp_path / "streamed", cache_bytes=CROPS - 1).run(tmp_path / "run_streamed")
    assert capsys.readouterr().err.splitlines() == [
        f"{name}: images are decoded whenever they are read, for {CROPS:,} bytes of crops do not fit "
        f"into the {CROPS - 1:,} that the cache may still take; make room there, or raise cache_bytes"
    ]
    never = make_study(cache=tmp_path / "never", cache_bytes=0).run(tmp_path / "run_never")
    assert capsys.readouterr().err == "", "it was asked for"
    assert (files(tmp_path / "kept"), files(tmp_path / "streamed"), files(tmp_path / "never")) == (
        {"crops.u8"},
        {"digests.u8"},
        {"digests.u8"},
    )
    assert record_files(kept)
    assert record_files(kept) == record_files(streamed) == record_files(never)
    assert kept.manifest["study"] == streamed.manifest["study"]


@pytest.mark.parametrize(("first", "then"), [("auto", 0), (0, "auto")])
def test_a_run_goes_on_in_the_other_way(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, first: object, then: object
) -> None:
    net, calls = tiny_net(1), 0

    def model(x: Tensor) -> Tensor:
        nonlocal calls
        calls += list(tmp_path.glob("cache_1/*/*.u8")) != []
        if calls == 30:
            raise KeyboardInterrupt
        return net(x)

    def study(most: object, cache: str) -> vb.Study:
        return make_study(models=[("m", model)], cache=tmp_path / cache, cache_bytes=most)

    with pytest.raises(KeyboardInterrupt):
        study(first, "cache_1").run(tmp_path / "run", progress=False)
    resumed = study(then, "cache_2").run(tmp_path / "run", progress=False)
    assert files(tmp_path / "cache_1") | files(tmp_path / "cache_2") == {"crops.u8", "digests.u8"}
    assert len(resumed.manifest["sessions"]) == 2
    whole = study("auto", "cache_3").run(tmp_path / "whole", progress=False)
    pd.testing.assert_frame_equal(records_of(resumed), records_of(whole), check_exact=True)


def test_a_plan_tells_what_is_streamed(make_study: Make, cue_folder: Path, tmp_path: Path) -> None:
    """The set that comes first takes the room."""
    probes = [vb.Accuracy(), vb.ShapeBias(vb.CueConflictFolder(cue_folder))]
    options = {"probes": probes, "cache": tmp_path / "cache"}
    plan = make_study(cache_bytes=CROPS + 1, **options).plan()
    cues = plan.data_sets[1].images * 32 * 32 * 3
    assert (plan.kept_bytes, plan.streamed_bytes) == (CROPS, cues)
    assert "0.1 MB of crops (0.0 MB more are not written, but decoded whenever they are read), " in str(plan)
    assert not (tmp_path / "cache").exists()
    study = make_study(cache_bytes=CROPS + 1, **options)
    study.run(tmp_path / "run", progress=False)
    assert sum(path.stat().st_size for path in tmp_path.glob("cache/*/crops.u8")) == plan.kept_bytes
    after = study.plan(tmp_path / "run")
    assert (after.kept_bytes, after.streamed_bytes) == (CROPS, cues), "what was written is found"
    whole = make_study(**options).plan(tmp_path / "run")
    assert (whole.kept_bytes, whole.streamed_bytes) == (CROPS + cues, 0)
    assert "whenever" not in str(whole)


def test_room_is_foreseen_in_the_order_of_the_models(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    def net(side: int) -> nn.Module:
        module = tiny_net(side)
        module.pretrained_cfg = {"input_size": (3, side, side), "crop_pct": 1.0}  # type: ignore[assignment]
        return module

    models = [("small", net(32)), ("large", net(48))]
    for order, kept in ((models, 32), (models[::-1], 48)):
        cache = tmp_path / str(kept)
        study = make_study(models=order, preprocessing="model", cache=cache, cache_bytes=37 * 48**2 * 3)
        assert study.plan().kept_bytes == 37 * kept**2 * 3
        study.run(cache / "run", progress=False)
        assert sum(path.stat().st_size for path in cache.glob("*/crops.u8")) == 37 * kept**2 * 3


def test_decoders_of_streamed_sets_are_closed(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_now, most = set[int](), 0
    make, close = PillowDecoder.__init__, PillowDecoder.close

    def made(self: PillowDecoder, *arguments: Any) -> None:
        nonlocal most
        make(self, *arguments)
        open_now.add(id(self))
        most = max(most, len(open_now))

    def closed(self: PillowDecoder) -> None:
        close(self)
        open_now.discard(id(self))

    monkeypatch.setattr(PillowDecoder, "__init__", made)
    monkeypatch.setattr(PillowDecoder, "close", closed)
    make_study(decode="pillow", cache=tmp_path / "cache", cache_bytes=0).run(tmp_path / "run", progress=False)
    assert (most, open_now) == (1, set())


def test_streamed_sets_take_the_time_of_each_reading(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[tuple[bool, bool, float]] = []

    def noted(study: vb.Study, listing: object, times: float, gpu: int) -> float:
        crops = listing.crops  # type: ignore[attr-defined]
        readings.append((crops.kept, crops.found, times))
        return time_decoding(study, listing, times, gpu)  # type: ignore[arg-type]

    monkeypatch.setattr("visionbias.engine.calibration.time_decoding", noted)
    monkeypatch.setattr("visionbias.engine.timed_steps._decode", lambda *_: 1.0)
    other = tiny_net(2)
    other.pretrained_cfg = {"mean": (0.4, 0.4, 0.4), "std": (0.2, 0.2, 0.2)}  # type: ignore[assignment]
    models = [("first", tiny_net(1)), ("other", other)]

    def decode_s(most: object) -> float:
        study = make_study(models=models, probes=[vb.Accuracy()], cache=tmp_path / "cache", cache_bytes=most)
        prediction = study.plan().prediction
        assert prediction is not None
        return prediction.decode_s

    assert decode_s(CROPS) == 1, "decoded once, and kept"
    assert decode_s(0) == 1 + 2, "once to know, and for each normalization"
    make_study(models=models, cache=tmp_path / "cache", cache_bytes=0).run(tmp_path / "run", progress=False)
    assert decode_s(0) == 2
    assert decode_s("auto") == 1
    assert readings == [(True, False, 2), (False, False, 2), (False, True, 2), (True, False, 2)]
