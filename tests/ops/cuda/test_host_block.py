# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The block on the host sees what a kernel must not do, in every order of threads."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from visionbias.runtime.nvrtc import Program

CPU = torch.device("cpu")


class Arguments(ctypes.Structure):
    _fields_ = (("memory", ctypes.c_void_p),)


@dataclass(frozen=True)
class Beside(Program):
    """A program of this folder."""

    @property
    def path(self):
        return Path(__file__).with_name(self.file)


FAULTS = Beside("faults.cu", 8, 64)


def test_a_kernel_without_a_mistake(launch):
    memory = torch.full((8,), torch.nan)
    launch(FAULTS, "none", 1, Arguments(memory.data_ptr()), CPU)
    assert memory.tolist() == [1, 2, 3, 4, 5, 6, 7, 0]


@pytest.mark.parametrize(
    ("kernel", "fault"),
    [
        ("race", "in the phase in which another thread"),
        ("collision", "is written by two threads in one phase"),
        ("unwritten", "is read before it is written"),
        ("beyond", "index 8 of 8"),
        ("beyond_block", "is out of bounds"),
    ],
)
def test_a_mistake_is_seen(launch, kernel, fault):
    memory = torch.full((8,), torch.nan)
    with pytest.raises(AssertionError, match=fault):
        launch(FAULTS, kernel, 1, Arguments(memory.data_ptr()), CPU)
