# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A CPU's name tells which generation it is."""

import platform
from pathlib import Path

import pytest
import torch

from visionbias.runtime.devices import device_name

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd40\n\n"


@pytest.mark.parametrize(
    ("text", "wanted"), [(X86 * 2, "AMD EPYC (family 26, model 2)"), (ARM, platform.processor() or platform.machine())]
)
def test_a_name_with_its_generation(text: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: text)
    assert device_name(torch.device("cpu")) == wanted
