# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The listing of model names."""

import pytest

from visionbias.errors import CheckpointError
from visionbias.models.catalog import list_models


def test_both_sources_are_listed_with_a_state() -> None:
    names = dict(list_models("*:resnet18*"))
    assert "torchvision:resnet18" in names
    assert "timm:resnet18.a1_in1k" in names
    assert set(names.values()) <= {"cached", "needs download"}


def test_nothing_found_says_what_names_look_like() -> None:
    with pytest.raises(CheckpointError, match=r"names look like timm:resnet50\.a1_in1k"):
        list_models("resnet_fifty")
