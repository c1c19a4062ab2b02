# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The support table: every op on every device, with one backend for auto and a reason for each of the others."""

import pytest
import torch

import visionbias as vb
from visionbias.ops.fastest import fastest
from visionbias.ops.filter_bank.plan import OP


def test_every_op_has_one_backend_for_auto_and_the_others_a_reason():
    table = vb.backends()
    devices = {"cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))}
    assert {row.device for row in table} == devices
    for key in {(row.op, row.device) for row in table}:
        rows = [row for row in table if (row.op, row.device) == key]
        assert [row.use for row in rows].count("auto") == 1, key
        assert all(bool(row.reason) == (row.use != "auto") for row in rows)
        assert next(row.use for row in rows if row.backend == "reference") == "by name"
    assert {row.backend for row in table if row.op == "filter_bank"} == set(OP.impls)


def test_it_prints_a_line_a_row():
    head, *lines = str(vb.backends()).splitlines()
    assert head.split() == ["op", "device", "backend", "use", "reason"]
    assert len(lines) == len(vb.backends())
    triton = next(line for line in lines if line.startswith("filter_bank") and " triton " in line)
    assert "refuses  " in triton or "by name  it is not measured on such a GPU" in triton


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_auto_takes_what_is_measured_and_else_torch():
    rows = {row.backend: row for row in vb.backends() if (row.op, row.device) == ("filter_bank", "cuda:0")}
    measured = fastest("filter_bank", torch.device("cuda:0"), 224, 224)
    assert rows[measured or "torch"].use == "auto"
    assert measured or "not measured on such a GPU" in rows["triton"].reason
