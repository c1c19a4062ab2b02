# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run for which "auto" finds a broken DALI: Pillow decodes all of it, and the manifest says so."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import visionbias as vb
from visionbias.decode.cache import open_crops
from visionbias.decode.pillow import PillowDecoder
from visionbias.engine.decoded import decode_set

pytest.importorskip("nvidia.dali")

Make = Callable[..., vb.Study]
BROKEN = "DALI is installed but cannot be used"


def test_the_manifest_names_pillow_and_the_run_goes_on_with_it(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study(probes=[vb.Accuracy()], decode="auto", cache=tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "nvidia.dali", None)
        with pytest.warns(UserWarning, match=BROKEN) as said:
            run = study.run(tmp_path / "run", progress=False)
    assert len(said) == 1
    views = run.manifest["study"]["data"][study.data.name]["models"].values()
    assert {view["decoder"] for view in views} == {PillowDecoder.name()}
    study.run(tmp_path / "run")
    assert "complete, nothing to do" in capsys.readouterr().err


def test_partners_are_decoded_as_the_images_were(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the cache holds DALI's crops of them."""
    data = vb.CueConflict(image_folder, image_folder)
    rule = vb.Preprocessing(resize=36, crop=32)
    partners = tuple({partner.id: partner for partner in data.partners}.values())
    dalis, pillows = (open_crops(partners, rule, decode=kind, folder=tmp_path).images for kind in ("dali", "pillow"))
    assert not np.array_equal(dalis, pillows)
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.warns(UserWarning, match=BROKEN) as said:
        decoded = decode_set(data, rule, decode="auto", folder=tmp_path, progress=False)
    assert len(said) == 1
    assert decoded.decoder == PillowDecoder.name()
    assert np.array_equal(decoded.partners, pillows)
