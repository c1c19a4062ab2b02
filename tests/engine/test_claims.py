# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes never make the same records."""

from collections.abc import Callable
from pathlib import Path

import pytest

import visionbias as vb
from visionbias.engine.claims import claimed

Make = Callable[..., vb.Study]


def test_parts_that_overlap_are_refused_and_others_are_not(tmp_path: Path) -> None:
    with claimed(tmp_path, (1, 3)):
        for shard in ((0, 1), (0, 2), (1, 2), (1, 3)):
            with pytest.raises(vb.RunError, match="another process is making"), claimed(tmp_path, shard):
                pass
        for shard in ((0, 3), (2, 3), (0, 4), (5, 6)):
            with claimed(tmp_path, shard):
                pass
    with claimed(tmp_path, (0, 1)):
        pass


def test_a_run_in_other_hands_is_left_alone(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy()])
    with (
        claimed(tmp_path / "run", (0, 2)),
        pytest.raises(vb.RunError, match="another process is making shard 0/2 of this run; wait for it"),
    ):
        study.run(tmp_path / "run", progress=False)
    assert set(study.run(tmp_path / "run", progress=False).summary()["status"]) == {"complete"}


def test_a_damaged_file_is_set_aside_and_made_again(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy()])
    run = study.run(tmp_path / "run", progress=False)
    whole = run.summary().to_csv()
    damaged = next(run.folder.rglob("model=first/**/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    assert study.run(tmp_path / "run", progress=False).summary().to_csv() == whole
    assert damaged.with_name(f"{damaged.name}.damaged").exists()


def test_plan_says_that_the_folder_is_of_another_study(make_study: Make, tmp_path: Path) -> None:
    make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    with pytest.raises(vb.RunError, match="another study"):
        make_study(probes=[vb.Accuracy()], seed=1).plan(tmp_path / "run")
