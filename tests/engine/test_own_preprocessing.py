# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Models that each bring their own preprocessing: grouped by what they see, and measured as each alone."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from run_folders import records_of
from torch import nn

import visionbias as vb
from visionbias.decode import entry
from visionbias.decode.choice import new_decoder
from visionbias.engine.prepare import prepare

Make = Callable[..., vb.Study]

SMALL, LARGE = vb.Preprocessing(resize=40, crop=32), vb.Preprocessing(resize=50, crop=40)
RULES = {"small": SMALL, "large": LARGE, "twin": SMALL, "shifted": SMALL}


@pytest.fixture
def models(tiny_net: type[nn.Module]) -> list[tuple[str, nn.Module]]:
    """Modules with timm's data configuration; "shifted" differs from "small" and "twin" in its mean."""
    made = []
    for seed, (name, rule) in enumerate(RULES.items()):
        module = tiny_net(seed).eval()
        config = {"input_size": (3, rule.crop, rule.crop), "crop_pct": 0.8, "interpolation": "bilinear"}
        module.pretrained_cfg = config | ({"mean": (0.5,) * 3} if name == "shifted" else {})
        made.append((name, module))
    return made


def test_models_that_see_the_same_pixels_are_one_group(make_study: Make, models: list, tmp_path: Path) -> None:
    study = make_study(models=models, preprocessing="model", cache=tmp_path / "cache")
    (arm,) = prepare(study, tmp_path / "run", None, False).arms
    assert [[model.id for model in group.models] for group in arm.groups] == [["small", "twin"], ["large"], ["shifted"]]
    assert [group.preprocessing for group in arm.groups] == [SMALL, LARGE, SMALL]


def test_each_rule_decodes_once_and_records_are_those_of_each_model_alone(
    make_study: Make, models: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def noted(kind: str, rule: vb.Preprocessing, gpu: int) -> object:
        decoded.append(rule)
        return new_decoder(kind, rule, gpu)  # type: ignore[arg-type]

    monkeypatch.setattr(entry, "new_decoder", noted)
    study = make_study(models=models, preprocessing="model", cache=tmp_path / "cache")
    run = study.run(tmp_path / "run", progress=False)
    assert decoded == [SMALL, LARGE]
    views = run.manifest["study"]["data"][study.data.name]["models"]
    assert {name: view["preprocessing"] for name, view in views.items()} == {
        name: rule.as_dict() for name, rule in RULES.items()
    }
    for name, module in models:
        alone = make_study(models=[(name, module)], preprocessing="model", cache=tmp_path / name)
        together = records_of(run).query("model == @name").reset_index(drop=True)
        single = records_of(alone.run(tmp_path / f"run of {name}", progress=False))
        assert len(single) == 23 * 37
        pd.testing.assert_frame_equal(together, single, check_exact=True)
