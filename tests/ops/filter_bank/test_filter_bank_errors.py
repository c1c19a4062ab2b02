# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What filter_bank says of calls that it cannot serve: wanted, got, fix."""

import pytest
import torch

import visionbias as vb

X = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
LOW = [vb.lowpass(0.5)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vb.filter_bank(X[0], LOW), r"filter_bank: x must be \[N, C, H, W\], got \(3, 8, 8\); try x\[None\]"),
        (lambda: vb.filter_bank(X[0, 0], LOW), r"x must be \[N, C, H, W\], got \(8, 8\)"),
        (lambda: vb.filter_bank(X[..., :0], LOW), "at least one channel and pixel"),
        (lambda: vb.filter_bank(X.numpy(), LOW), "x must be a torch.Tensor .* got ndarray; try torch.from_numpy"),
        (lambda: vb.filter_bank(X.int(), LOW), r"x must be uint8 or floating, got int32; try x.to\(torch.uint8\)"),
        (lambda: vb.filter_bank(X, []), "bands must be one or more Band"),
        (lambda: vb.filter_bank(X, [0.5]), "bands must be one or more Band"),
        (lambda: vb.filter_bank(X, 5), "bands must be one or more Band, got 5"),
        (lambda: vb.FilterBank(None), "bands must be one or more Band, got None"),
        (lambda: vb.filter_bank(X, LOW, mean=0.5), "mean must be one number a channel of x, got 0.5"),
        (lambda: vb.filter_bank(X, LOW, std="abc"), "std must be one number a channel of x, got 'abc'"),
        (lambda: vb.filter_bank(X, LOW, out=5), "out must be a torch.Tensor .*, got int"),
        (lambda: vb.filter_bank(X, LOW, mean=(0.5,)), "mean must have one value a channel of x, C=3, got 1"),
        (lambda: vb.filter_bank(X, LOW, std=(1.0, 1.0)), "std must have one value a channel of x, C=3, got 2"),
        (lambda: vb.filter_bank(X, LOW, std=(1.0, 0.0, 1.0)), "std must be positive"),
        (lambda: vb.filter_bank(X, LOW, dtype=torch.int8), "dtype must be one of float16, bfloat16, float32, float64"),
        (lambda: vb.filter_bank(X, LOW, memory_format=torch.channels_last_3d), "memory_format must be"),
        (
            lambda: vb.filter_bank(X, LOW, out=torch.empty(2, 3, 8, 8)),
            r"out must be \(1, 2, 3, 8, 8\), got \(2, 3, 8, 8\)",
        ),
        (
            lambda: vb.filter_bank(X, LOW, out=torch.empty(1, 2, 3, 8, 8, dtype=torch.float16)),
            "out must be float32, got float16; pass dtype=out.dtype",
        ),
        (
            lambda: vb.filter_bank(X, LOW, out=torch.empty(1, 2, 3, 8, 8, device="meta")),
            "out must be on cpu as x is, got meta",
        ),
        (
            lambda: vb.filter_bank(X, LOW, out=torch.empty(1, 1, 3, 8, 8).expand(1, 2, 3, 8, 8)),
            "out must have memory of its own for every element, .* an expanded tensor",
        ),
    ],
)
def test_wrong_tensor(call, message):
    with pytest.raises(vb.ShapeError, match=message):
        call()


def test_unknown_backend():
    known = "'auto', 'native', 'torch', 'triton', 'triton_fast', 'reference'"
    with pytest.raises(vb.BackendError, match=f"filter_bank: backend must be one of {known}, got 'gpu'"):
        vb.filter_bank(X, LOW, backend="gpu")
