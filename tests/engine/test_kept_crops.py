# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a study leaves in the cache spares the next one its images."""

import builtins
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_folders import records_of
from torch import nn

import visionbias as vb

Make = Callable[..., vb.Study]


@pytest.mark.parametrize("decode", ["pillow", "auto"])
def test_a_second_study_on_the_same_images_opens_none_of_them(
    decode: str,
    make_study: Make,
    image_folder: Path,
    tiny_net: type[nn.Module],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    really_open = io.open

    def watched(file: Any, *args: Any, **options: Any) -> Any:
        if str(file).startswith(str(image_folder)):
            opened.append(Path(file).name)
        return really_open(file, *args, **options)

    for module in (io, builtins):  # pathlib's, and everybody else's
        monkeypatch.setattr(module, "open", watched)

    def second(cache: str) -> vb.Study:
        models, probes = [("third", tiny_net(3))], [vb.SpectralBias()]
        return make_study(models=models, probes=probes, decode=decode, cache=tmp_path / cache)

    make_study(probes=[vb.Accuracy()], decode=decode, cache=tmp_path / "cache").run(tmp_path / "first", progress=False)
    assert len(set(opened)) == 37
    opened.clear()
    run = second("cache").run(tmp_path / "second", progress=False)
    assert opened == []
    alone = second("other").run(tmp_path / "alone", progress=False)
    assert len(set(opened)) == 37
    pd.testing.assert_frame_equal(records_of(run), records_of(alone), check_exact=True)
