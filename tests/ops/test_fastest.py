# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of measured backends: which calls it speaks for, and that it is the one that the results make."""

import json

import pytest
import torch

from benchmarks import fastest as command
from visionbias.ops import fastest as table
from visionbias.ops.filter_bank.plan import OP
from visionbias.ops.filter_bank.spec import Spec

CUDA = torch.device("cuda", 0)


@pytest.fixture
def h100(monkeypatch):
    """A GPU of generation 9 that need not be there, on which Triton is the fastest up to 256 pixels."""
    rows = {("filter_bank", 9, 256): "triton"}
    monkeypatch.setattr(table, "_table", lambda: rows)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))


@pytest.mark.parametrize(("side", "wanted"), [(129, "triton"), (256, "triton"), (128, None), (257, None)])
def test_sizes_up_to_the_next_power_of_two_share_a_measurement(h100, side, wanted):
    assert table.fastest("filter_bank", CUDA, 100, side) == wanted
    assert table.fastest("filter_bank", CUDA, side, 100) == wanted


def test_no_other_op_device_or_generation_is_spoken_for(h100, monkeypatch):
    assert table.fastest("band_noise", CUDA, 224, 224) is None
    assert table.fastest("filter_bank", torch.device("cpu"), 224, 224) is None
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert table.fastest("filter_bank", CUDA, 224, 224) is None


def test_auto_takes_what_is_measured(h100, monkeypatch):
    monkeypatch.setitem(OP.impls, "triton", type(OP.impls["triton"])(lambda spec: None, on_request=True))
    spec = Spec((), 224, 224, (), (), torch.uint8, torch.float16, CUDA)
    assert OP.pick(spec)[0] == "triton"
    monkeypatch.setattr(table, "_table", dict)
    assert OP.pick(spec)[0] == "torch"


def row(backend, median, dtype="float32", generation=9, side=224, commit="a", op="filter_bank"):
    return {
        **{"op": op, "backend": backend, "median_s": median, "dtype": dtype},
        **{"generation": generation, "side": side, "commit": commit},
    }


@pytest.mark.parametrize(
    ("rows", "backend"),
    [
        ([row("torch", 2.0), row("triton", 1.0)], "triton"),
        ([row("torch", 1.0), row("triton", 2.0)], "torch"),
        ([row("torch", 2.0), row("triton", 1.5), row("triton_fast", 1.0), row("peer: cuBLAS", 0.1)], "triton"),
        (
            [row("torch", 2.0), row("triton", 1.0), row("torch", 1.0, "bfloat16"), row("triton", 2.0, "bfloat16")],
            "torch",
        ),
        (
            [row("torch", 2.0), row("triton", 1.0), row("torch", 1.0, commit="b"), row("triton", 3.0, commit="b")],
            "torch",
        ),
        ([row("triton", 1.0)], None),  # of which nothing is known against torch
        ([row("torch", 2.0, generation=None), row("native", 1.0, generation=None)], None),
    ],
)
def test_the_results_choose(rows, backend):
    wanted = [{"op": "filter_bank", "generation": 9, "size_class": 256, "backend": backend}] if backend else []
    assert command.fastest(rows) == wanted


def test_the_committed_table_is_that_of_the_committed_results():
    assert json.loads(table.TABLE.read_text()) == command.fastest(command.results(command.RESULTS))
