# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The listing of model names."""

import pytest

from visionbias.errors import CheckpointError
from visionbias.models.catalog import list_models


def test_all_sources_are_listed_with_a_state() -> None:
    listed = list_models("*:*resnet[15][80]*")
    names = {name: category for name, category, _ in listed}
    assert names["torchvision:resnet18"] == names["timm:resnet18.a1_in1k"] == ""
    assert names["study:resnet50_dino"] == "contrastive"
    assert [name for name, _, _ in listed] == sorted(names)
    states = {state for name, _, state in listed if not name.startswith("study:")}
    assert states <= {"cached", "needs download"}


def test_nothing_found_says_what_names_look_like() -> None:
    with pytest.raises(CheckpointError, match=r"names look like timm:resnet50\.a1_in1k"):
        list_models("resnet_fifty")
    with pytest.raises(CheckpointError, match=r"try 'timm:resnet18\*'"):
        list_models("timm:resnet18")
