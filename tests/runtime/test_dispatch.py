# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The dispatch table: order, refusals, and what it says when nothing serves."""

import pytest

from visionbias.errors import BackendError
from visionbias.runtime.dispatch import NOT_MEASURED, Impl, Op


def only_even(n):
    return None if n % 2 == 0 else f"{n} is odd"


def only_small(n):
    return None if n < 10 else f"{n} is not below 10"


OP = Op(
    "halve",
    {
        "fast": Impl(lambda n: f"fast {n}", lambda n: only_even(n) or only_small(n)),
        "plain": Impl(lambda n: f"plain {n}", only_even),
        "reference": Impl(lambda n: f"reference {n}", on_request=True),
    },
)


@pytest.mark.parametrize(("n", "backend"), [(4, "fast"), (12, "plain")])
def test_the_first_that_serves_is_picked(n, backend):
    name, impl = OP.pick(n)
    assert name == backend
    assert impl.make(n) == f"{backend} {n}"


def test_reference_is_for_those_who_ask():
    assert OP.pick(3, "reference")[0] == "reference"
    with pytest.raises(
        BackendError, match=r"no backend serves this call: .*'plain': '3 is odd'.* when asked for by name"
    ):
        OP.pick(3)


def test_a_named_backend_says_why_it_refuses():
    with pytest.raises(BackendError, match="halve: backend 'fast' refuses: 12 is not below 10; try backend='auto'"):
        OP.pick(12, "fast")


def test_an_unknown_backend_is_told_the_known_ones():
    with pytest.raises(BackendError, match="must be one of 'auto', 'fast', 'plain', 'reference', got 'cuda'"):
        OP.pick(4, "cuda")
    with pytest.raises(BackendError, match=r"must be one of .*, got \['fast'\]"):
        OP.pick(4, ["fast"])


def test_support_tells_the_use_of_every_backend_or_the_reason_against_it():
    by_name = "it is used only when asked for by name"
    assert OP.support(4) == {
        "fast": ("auto", ""),
        "plain": ("by name", "fast comes first"),
        "reference": ("by name", by_name),
    }
    assert OP.support(12)["fast"] == ("refuses", "12 is not below 10")
    assert OP.support(12)["plain"] == ("auto", "")


def measured(fastest):
    """An op with a kernel for those who ask, and what measurements show."""
    impls = {
        "plain": Impl(str),
        "kernel": Impl(str, only_even, on_request=True, why=NOT_MEASURED),
        "rough": Impl(str, on_request=True),
    }
    return Op("halve", impls, lambda n: fastest)


def test_the_measured_one_is_picked_and_the_others_are_not():
    assert measured("kernel").pick(4)[0] == "kernel"
    assert measured("kernel").pick(3)[0] == "plain"  # which the kernel refuses
    for fastest in (None, "plain", "unknown"):
        assert measured(fastest).pick(4)[0] == "plain"


def test_support_tells_what_was_measured():
    table = measured("kernel").support(4)
    assert list(table) == ["plain", "kernel", "rough"]
    assert table["kernel"] == ("auto", "")
    assert table["plain"] == ("by name", "kernel comes first")
    assert measured("kernel").support(3)["plain"] == ("auto", "")
    assert measured("plain").support(4)["kernel"] == ("by name", "plain is measured to be faster here")
    assert measured(None).support(4)["kernel"] == ("by name", NOT_MEASURED)
