# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes never make the same records."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

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
    (tmp_path / ".claims" / "0-0.lock").touch()  # of no shard
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
    content = bytearray(damaged.read_bytes())
    content[len(content) // 3] ^= 0xFF  # in a page; the end of the file is intact
    damaged.write_bytes(content)
    assert study.run(tmp_path / "run", progress=False).summary().to_csv() == whole
    assert damaged.with_name(f"{damaged.name}.damaged").exists()


def test_plan_says_that_the_folder_is_of_another_study(
    make_study: Make, image_folder: Path, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    make_study(probes=[vb.Accuracy()]).run(tmp_path / "run", progress=False)
    name = image_folder.name
    shutil.copytree(image_folder, tmp_path / "fewer")
    next((tmp_path / "fewer" / "class_0").iterdir()).unlink()
    for changes, message in (
        ({"seed": 1}, "seed: this study has 1, the folder has 0"),
        ({"probes": [vb.SpectralBias()]}, "probes.0.probe"),
        ({"models": [("first", tiny_net(1))]}, 'models.second: this study has nothing, the folder has {"source"'),
        ({"data": vb.ImageFolder(image_folder, name="other")}, "data.other"),
        ({"data": vb.ImageFolder(tmp_path / "fewer", name=name)}, f"data.{name}.samples: this study has 36"),
        ({"forward_batch": 16}, "forward_batch: this study has 16, the folder has 8"),
    ):
        with pytest.raises(vb.RunError, match=f"another study(?s:.*){re.escape(message)}"):
            make_study(**({"probes": [vb.Accuracy()]} | changes)).plan(tmp_path / "run")
    assert make_study(probes=[vb.Accuracy()]).plan(tmp_path / "run").units_done == 2 * 37
